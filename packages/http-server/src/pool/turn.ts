import type { ThreadPool } from '@elkyn/thread-pool'

/**
 * Gathers what is begun in one turn of the event loop. To wake another thread takes as long as to parse a
 * request, so that while all of them have something to do, what arrives together is handed over together.
 */
export class Turn {
  readonly #pool: Pick<ThreadPool<never>, 'cork' | 'uncork'>
  #end: Promise<void> | undefined

  constructor(pool: Pick<ThreadPool<never>, 'cork' | 'uncork'>) {
    this.#pool = pool
  }

  /**
   * Resolves when what has arrived in this turn of the event loop has been looked at. What is run on the
   * pool in the very next step shares one wake-up.
   */
  end(): Promise<void> {
    return (this.#end ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#end = undefined
        this.#pool.cork()
        resolve()
        // Behind the steps of all who wait, which were queued first.
        queueMicrotask(() => this.#pool.uncork())
      })
    }))
  }
}
