import { pathKeys } from '@elkyn/tree'
import type { Path } from '@elkyn/tree'
import type { CatalogReader, StoredIndex } from './index-catalog.ts'
import type { Reader } from './readers.ts'

/** The indexes that snapshots may use. */
export class SnapshotIndexes {
  readonly #catalogs: CatalogReader
  /** Whether queries are refused that have none. */
  readonly areRequired: boolean

  constructor(catalogs: CatalogReader, areRequired: boolean) {
    this.#catalogs = catalogs
    this.areRequired = areRequired
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
}
