import type { IndexDefinition, IndexDefinitions } from '@elkyn/tree'
import { CommitWaits } from './commit-waits.ts'
import type { StorageError } from './errors.ts'
import { hasHeads } from './index-building.ts'
import { isUnfinished, withDefinitions, writeCatalog } from './index-catalog.ts'
import type { CatalogReader, IndexCatalog } from './index-catalog.ts'
import { IndexKeeper } from './index-keeper.ts'
import type { KeeperContext } from './index-keeper.ts'
import { storedEntries } from './layer-storage.ts'
import { SharedWord } from './lmdb.ts'
import type { Lmdb } from './lmdb.ts'
import type { Readers } from './readers.ts'
import type { Sealer } from './sealer.ts'

/** An index, and what has become of it. */
export interface IndexStatus {
  /** The place whose children it is about; a part `*` stands for any key. */
  readonly place: string
  /** What it orders them by: `$value`, `$priority` or a path below each child. */
  readonly field: string
  /** Whether queries can use it; `false` while it is being built. */
  readonly isReady: boolean
}

/** Which indexes a store has, and the work that it takes to have them. */
export class StoreIndexes {
  readonly #lmdb: Lmdb
  readonly #readers: Readers
  readonly #catalogs: CatalogReader
  readonly #context: KeeperContext
  readonly #keeper: IndexKeeper
  /** Those who wait for what keepers of other threads do. */
  readonly #waits: CommitWaits
  /** Whether this store may write. */
  #mayBuild = false
  #isClosed = false

  constructor(lmdb: Lmdb, readers: Readers, catalogs: CatalogReader, context: KeeperContext) {
    this.#lmdb = lmdb
    this.#readers = readers
    this.#catalogs = catalogs
    this.#context = context
    this.#keeper = new IndexKeeper(lmdb, context)
    this.#waits = new CommitWaits(lmdb)
  }

  /** Begins to build and to remove what has to be. `undefined` leaves the indexes as they are. */
  begin(definitions: readonly IndexDefinition[] | undefined): void {
    this.#mayBuild = true
    const catalog = this.#catalog()
    // Else the file would grow for it until the next turn.
    this.#readers.giveUp()
    if (
      definitions !== undefined &&
      withDefinitions(catalog, definitions, 'building') !== catalog
    ) {
      this.#define(definitions)
      this.#keeper.wake()
    } else if (isUnfinished(catalog)) this.#keeper.wake()
  }

  list(): IndexStatus[] {
    return this.#catalog().indexes.map(({ place, field, state }) => {
      return { place, field: field.name, isReady: state === 'ready' }
    })
  }

  /** All of them as `defineIndexes` takes them. */
  definitions(): IndexDefinitions {
    const definitions: Record<string, string[]> = {}
    for (const { place, field } of this.list()) (definitions[place] ??= []).push(field)
    return definitions
  }

  /** Why they are not built any more, where that is so. */
  get failure(): StorageError | undefined {
    return this.#keeper.failure
  }

  /** @throws {StorageError} `ERR_INDEX_FAILED` once, when they are not built any more. */
  check(): void {
    this.#keeper.check()
  }

  /**
   * Resolves when all are built, here or in another thread, or this was closed.
   * @throws {StorageError} `ERR_INDEX_FAILED`
   */
  async built(): Promise<void> {
    // Another thread may be at it. Two are in each other's way no more than two writers.
    if (this.#mayBuild && !this.#isFinished()) this.#keeper.wake()
    await this.#waits.until(() => this.#isClosed || this.#isFinished())
  }

  #isFinished(): boolean {
    if (!isUnfinished(this.#catalog())) return true
    const { failure } = this
    if (failure !== undefined) throw failure
    return false
  }

  /** To be called when any thread has committed. */
  committed(): void {
    this.retry()
    this.#waits.wake()
  }

  /** Goes on where there was no room, now that something was committed, or with what another thread has left. */
  retry(): void {
    if (!this.#mayBuild) return
    if (this.#takesOver()) this.#keeper.wake()
    else this.#keeper.retry()
  }

  /** Whether a thread has closed before it was done, and no other one has taken that over. */
  #takesOver(): boolean {
    const { shared } = this.#lmdb
    // Most of the time nothing is to be taken, and a look costs less.
    if (Atomics.load(shared, SharedWord.indexesLeft) === 0) return false
    return Atomics.exchange(shared, SharedWord.indexesLeft, 0) === 1
  }

  close(): void {
    if (this.#keeper.close()) {
      Atomics.store(this.#lmdb.shared, SharedWord.indexesLeft, 1)
      this.#lmdb.tellAllThreads()
    }
    this.#mayBuild = false
    this.#isClosed = true
    this.#waits.wake()
  }

  #define(definitions: readonly IndexDefinition[]): void {
    this.#context.transact((state) => {
      // Where all is in one row there is nothing to build them from.
      const begin = hasHeads(storedEntries(this.#lmdb)) ? 'building' : 'ready'
      const changed = withDefinitions(state.indexes, definitions, begin)
      if (changed === state.indexes) return
      state.indexes = changed
      writeCatalog(this.#lmdb, changed)
    })
  }

  #catalog(): IndexCatalog {
    const reader = this.#readers.acquire()
    try {
      return this.#catalogs.read(reader.options)
    } finally {
      this.#readers.release(reader)
    }
  }
}

/**
 * The entries of an index hold what they order by, and would show what is sealed in the rows.
 * @throws {TypeError}
 */
export function checkSealing(
  indexes: readonly IndexDefinition[],
  sealer: Sealer | undefined,
): void {
  if (sealer === undefined || indexes.length === 0) return
  throw new TypeError(
    'Cannot index: an encryption key seals values, and an index would show them. Open without ' +
      'indexes, and with requireIndexes false to query all the same',
  )
}
