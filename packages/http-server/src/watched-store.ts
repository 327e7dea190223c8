import { TreeError } from '@elkyn/tree'
import type {
  Change,
  ChangeCursor,
  StageOptions,
  Stager,
  TreeSnapshot,
  TreeStore,
  TreeStoreStats,
  TreeWrite,
  WriteOutcome,
} from '@elkyn/tree'
import { changesFrom } from './changes-from.ts'

/**
 * The same store, which tells when the disk or the database beneath failed. After that nothing
 * that it says in this process can be relied on. A store that is only full goes on.
 */
export class WatchedStore implements TreeStore {
  readonly #store: TreeStore
  readonly #onFailure: (error: TreeError) => void

  constructor(store: TreeStore, onFailure: (error: TreeError) => void) {
    this.#store = store
    this.#onFailure = onFailure
  }

  /** Not watched: threads that only read open snapshots as well, and nobody watches those. */
  snapshot(): TreeSnapshot {
    return this.#store.snapshot()
  }

  commit(writes: readonly TreeWrite[]): readonly WriteOutcome[] {
    return this.#watch(() => this.#store.commit(writes))
  }

  async write(write: TreeWrite): Promise<WriteOutcome> {
    try {
      return await this.#store.write(write)
    } catch (error) {
      this.#look(error)
      throw error
    }
  }

  /** A large body is on the disk before anything of it is committed with others. */
  stage(options?: StageOptions): Stager {
    const stager = this.#watch(() => this.#store.stage(options))
    return {
      write: (chunk) => this.#watch(() => stager.write(chunk)),
      end: () => this.#watch(() => stager.end()),
      abort: () => this.#watch(() => stager.abort()),
    }
  }

  idle(): void {
    this.#store.idle()
  }

  stats(): TreeStoreStats {
    return this.#store.stats?.() ?? {}
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    return this.#store.subscribe(listener)
  }

  changesFrom(id: string): Iterable<Change> {
    return this.#store.changesFrom(id)
  }

  cursorFrom(id: string): ChangeCursor {
    return changesFrom(this.#store, id)
  }

  idOf(sequence: number): string | undefined {
    return this.#store.idOf(sequence)
  }

  async close(): Promise<void> {
    await this.#store.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #watch<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      this.#look(error)
      throw error
    }
  }

  #look(error: unknown): void {
    if (error instanceof TreeError && error.code === 'ERR_STORE_FAILED') this.#onFailure(error)
  }
}
