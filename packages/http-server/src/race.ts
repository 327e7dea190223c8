/**
 * Races promises, one after the other, against one that outlives them. `Promise.race` would leave something with that one
 * each time, for as long as it is pending.
 */
export class Race {
  #hasSettled = false
  #settle: (() => void) | undefined

  constructor(against: Promise<unknown>) {
    const settle = (): void => {
      this.#hasSettled = true
      this.#settle?.()
    }
    against.then(settle, settle)
  }

  /** What the promise comes to, or `undefined` where the other one was settled first. */
  run<T>(promise: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      this.#settle = () => resolve(undefined)
      if (this.#hasSettled) this.#settle()
      promise.then(resolve, reject)
    })
  }
}
