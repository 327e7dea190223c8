/** For how long a small request shows that others are there, in milliseconds. */
const presenceMs = 100

/** Knows whether small requests are being answered, so that long work leaves them room. */
export class SmallRequests {
  readonly #now: () => number
  #count = 0
  #seen = 0
  #last = -Infinity

  /** @param now A clock in milliseconds. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Says that one was answered. Does not look at the clock. */
  note(): void {
    this.#count++
  }

  /** Whether one was since this was asked before, or a moment ago. */
  areThere(): boolean {
    const now = this.#now()
    if (this.#seen !== this.#count) {
      this.#seen = this.#count
      this.#last = now
    }
    return now - this.#last < presenceMs
  }
}
