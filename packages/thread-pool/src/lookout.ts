import { availableParallelism } from 'node:os'

/** Turns of the event loop that are tried before sleeping: some 40 µs on an idle machine. */
const longLook = 20
/** Turns where no long look is due: what a thread needs that is just about to answer. */
const shortLook = 2
/** After so many tasks without a long look one is tried, whatever went before. */
const longestPause = 200

/**
 * Looks for an answer in turns of the event loop instead of sleeping, which goes on with everything else meanwhile. To be
 * woken takes longer than a small task, on both sides. It looks for long only where that has lately helped: after one
 * that was in vain, twice as many tasks get a short look as after the one before.
 */
export class Lookout {
  /** @returns whether there was an answer */
  readonly #look: () => boolean
  readonly #end: () => void
  readonly #canLook: boolean
  #left = 0
  #isLong = false
  #pause = 0
  #penalty = 0

  /**
   * @param end called after the last look, in vain or not
   * @param cores the thread that is waited for has to have one of its own
   */
  constructor(look: () => boolean, end: () => void, cores: number = availableParallelism()) {
    this.#look = look
    this.#end = end
    this.#canLook = cores > 1
  }

  /** Whether it goes on: nobody needs to be woken. */
  get isLooking(): boolean {
    return this.#left > 0
  }

  /** @returns whether it looks now */
  begin(): boolean {
    if (!this.#canLook || this.isLooking) return this.isLooking
    this.#isLong = this.#pause === 0
    if (!this.#isLong) this.#pause--
    this.#left = this.#isLong ? longLook : shortLook
    setImmediate(this.#turn)
    return true
  }

  readonly #turn = (): void => {
    const hasHelped = this.#look()
    if (!hasHelped && --this.#left > 0) {
      setImmediate(this.#turn)
      return
    }
    this.#left = 0
    if (this.#isLong) this.#learn(hasHelped)
    this.#end()
  }

  #learn(hasHelped: boolean): void {
    if (hasHelped) {
      this.#penalty >>= 1
    } else {
      this.#penalty = Math.min(longestPause, 2 * this.#penalty + 2)
      this.#pause = this.#penalty
    }
  }
}
