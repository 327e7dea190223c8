import { keepAlive } from './keep-alive.ts'
import { SharedWord } from './lmdb.ts'
import type { Lmdb } from './lmdb.ts'

/** Waits for what other threads do. */
export class CommitWaits {
  readonly #lmdb: Lmdb
  #next: PromiseWithResolvers<void> | undefined

  constructor(lmdb: Lmdb) {
    this.#lmdb = lmdb
  }

  /** Resolves when `isDone` says so, which is asked at once, and then after each commit of any thread. */
  async until(isDone: () => boolean): Promise<void> {
    // Before the first look, so that no commit falls between the two.
    Atomics.add(this.#lmdb.shared, SharedWord.listeners, 1)
    try {
      while (!isDone()) {
        this.#next ??= Promise.withResolvers()
        await keepAlive(this.#next.promise)
      }
    } finally {
      Atomics.sub(this.#lmdb.shared, SharedWord.listeners, 1)
    }
  }

  /** Has all look again. */
  wake(): void {
    this.#next?.resolve()
    this.#next = undefined
  }
}
