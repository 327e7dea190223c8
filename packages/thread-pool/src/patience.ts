// How long to look again before going to sleep. Sleeping and being woken takes 50 microseconds and more, and the other side
// is often done sooner; but a look that finds nothing takes a core from it on a machine with few.

/** How many looks are worth it, learnt from how many were needed. */
export class Patience {
  readonly #most: number
  readonly #least: number
  #looks: number
  #waits = 0

  /** @param most looks of the longest wait @param least looks of the shortest */
  constructor(most: number, least: number) {
    this.#most = most
    this.#least = least
    this.#looks = most
  }

  /** Looks for the wait that begins now. One in 16 is long, to find out whether waits have become short. */
  get looks(): number {
    return ++this.#waits % 16 === 0 ? this.#most : this.#looks
  }

  /** The wait was over after `looks`. */
  found(looks: number): void {
    this.#looks = Math.min(this.#most, Math.max(this.#looks, 2 * looks + this.#least))
  }

  /** It was not. */
  gaveUp(): void {
    this.#looks = Math.max(this.#least, this.#looks >> 1)
  }
}
