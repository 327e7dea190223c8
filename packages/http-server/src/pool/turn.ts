import type { ThreadPool } from '@elkyn/thread-pool'

type GatheringPool = Pick<ThreadPool<never>, 'cork' | 'uncork' | 'pending'>

/**
 * Gathers what is begun in one turn of the event loop. To wake another thread takes as long as to parse a
 * request, so that while all of them have something to do, what arrives together wakes one of them once.
 */
export class Turn {
  readonly #pool: GatheringPool
  #hasBegun = false
  #waiting: Promise<void> | undefined

  constructor(pool: GatheringPool) {
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
   * Resolves at the end of this turn where the pool has something to do: what is run on it in the very next step comes
   * to a thread together, also where that is awake.
   * @returns `undefined` where there is nothing to wait for. Not while others wait, though the pool has nothing to do by
   * now: they came before.
   */
  end(): Promise<void> | undefined {
    if (this.#pool.pending === 0 && this.#waiting === undefined) return undefined
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
