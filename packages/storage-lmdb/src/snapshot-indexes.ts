import { TreeError, checkServed, pathKeys } from '@elkyn/tree'
import type { Path, QueryPlan, ServingIndex } from '@elkyn/tree'
import type { StorageError } from './errors.ts'
import type { CatalogReader, StoredIndex } from './index-catalog.ts'
import type { Reader } from './readers.ts'

interface SnapshotIndexesOptions {
  /** Whether queries are refused that have none. */
  readonly areRequired: boolean
  /** Why they are not built any more, where that is so. */
  readonly failure: () => StorageError | undefined
}

/** The indexes that snapshots may use. */
export class SnapshotIndexes {
  readonly #catalogs: CatalogReader
  readonly #areRequired: boolean
  readonly #failure: () => StorageError | undefined

  constructor(catalogs: CatalogReader, { areRequired, failure }: SnapshotIndexesOptions) {
    this.#catalogs = catalogs
    this.#areRequired = areRequired
    this.#failure = failure
  }

  /** The indexes of a place that are complete in what a reader sees, by the name of their field. */
  readyAt(path: Path, reader: Reader): ReadonlyMap<string, StoredIndex> {
    const { places } = this.#catalogs.read(reader.options)
    const ready = new Map<string, StoredIndex>()
    if (places.isEmpty) return ready
    for (const index of places.at(pathKeys(path))) {
      if (index.state === 'ready') ready.set(index.field.name, index)
    }
    return ready
  }

  /**
   * Refuses a query that looks at too much without an index.
   * @throws {TreeError} `ERR_INDEX_NOT_DEFINED`
   * @throws {StorageError} `ERR_INDEX_FAILED` where there is one that can't be built.
   */
  check(plan: QueryPlan, path: Path, serving: ServingIndex | undefined, reader: Reader): void {
    if (!this.#areRequired) return
    try {
      checkServed(plan, path, serving)
    } catch (error) {
      const failure = this.#failure()
      if (failure === undefined || !(error instanceof TreeError)) throw error
      const { places } = this.#catalogs.read(reader.options)
      const isDefined = places.at(pathKeys(path)).some(({ field }) => field.name === error.index)
      throw isDefined ? failure : error
    }
  }
}
