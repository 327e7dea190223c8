import { performance } from 'node:perf_hooks'

/** For so long, in milliseconds, promises are fulfilled without a turn of the event loop. */
const WITHOUT_TURN_MS = 1

/**
 * Gives the event loop its turn now and then where what is awaited is always there already: a loop of such promises is one
 * of microtasks, in which no timer fires, no message comes, and nobody hears of an abort or of the end of a thread.
 */
export class Turns {
  #last = performance.now()
  #next: Promise<void> | undefined

  /** The turn for which others wait already: who is fulfilled meanwhile comes behind them. */
  get next(): Promise<void> | undefined {
    return this.#next
  }

  /** What to await before a promise is fulfilled that had not to wait; `undefined` while the last turn is not long ago. */
  due(): Promise<void> | undefined {
    if (this.#next !== undefined) return this.#next
    if (performance.now() - this.#last < WITHOUT_TURN_MS) return undefined
    this.#next = new Promise((resolve) => {
      setImmediate(() => {
        this.#last = performance.now()
        this.#next = undefined
        resolve()
      })
    })
    return this.#next
  }
}
