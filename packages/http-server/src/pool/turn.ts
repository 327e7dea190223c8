import type { ThreadPool } from '@elkyn/thread-pool'

/**
 * Gathers what is begun in one turn of the event loop. To wake another thread takes as long as to parse a
 * request, so that while all of them have something to do, what arrives together wakes one of them once.
 */
export class Turn {
  readonly #pool: Pick<ThreadPool<never>, 'cork' | 'uncork'>
  #hasBegun = false
  #waiting: Promise<void> | undefined

  constructor(pool: Pick<ThreadPool<never>, 'cork' | 'uncork'>) {
    this.#pool = pool
  }

  /** What is run on the pool from here to the end of this turn of the event loop shares one wake-up. */
  begin(): void {
    if (this.#hasBegun) return
    this.#hasBegun = true
    this.#pool.cork()
    setImmediate(this.#end)
  }

  /**
   * Resolves at the end of this turn. What is run on the pool in the very next step comes to a thread together,
   * also where that is awake.
   */
  end(): Promise<void> {
    return (this.#waiting ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#waiting = undefined
        this.#pool.cork()
        resolve()
        // Behind the steps of all who wait, which were queued first.
        queueMicrotask(() => this.#pool.uncork())
      })
    }))
  }

  readonly #end = (): void => {
    this.#hasBegun = false
    this.#pool.uncork()
  }
}
