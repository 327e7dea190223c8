import { performance } from 'node:perf_hooks'

/** For so long, in milliseconds, promises are fulfilled without a turn of the event loop. */
const WITHOUT_TURN_MS = 1

/** Where calls come so quickly that nine took less than this, in milliseconds, only each ninth looks at the clock. */
const QUICK_MS = 0.05
const QUICK_CALLS = 8

/**
 * Gives the event loop its turn now and then where what is awaited is always there already: a loop of such promises is one
 * of microtasks, in which no timer fires, no message comes, and nobody hears of an abort or of the end of a thread.
 */
export class Turns {
  #last = performance.now()
  #looked = 0
  #skip = 0
  #next: Promise<void> | undefined

  /** What to await before a promise is fulfilled that had not to wait; `undefined` while the last turn is not long ago. */
  due(): Promise<void> | undefined {
    if (this.#next !== undefined) return this.#next
    if (this.#skip > 0) {
      this.#skip--
      return undefined
    }
    const now = performance.now()
    if (now - this.#looked < QUICK_MS) this.#skip = QUICK_CALLS
    this.#looked = now
    if (now - this.#last < WITHOUT_TURN_MS) return undefined
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
