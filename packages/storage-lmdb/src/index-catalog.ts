import { checkIndexDefinitions } from '@elkyn/tree'
import type { IndexDefinition } from '@elkyn/tree'
import { IndexPlaces } from './index-places.ts'
import type { Lmdb } from './lmdb.ts'
import type { ReadOptions } from './lmdb-types.ts'

/*
 * Which indexes there are stands in `meta` as JSON, so that each transaction sees those that its
 * entries belong to, whatever other threads were opened with.
 */

/** An index with what it has come to. */
export interface StoredIndex extends IndexDefinition {
  /** Stands in the keys of its entries; never used again. */
  readonly number: number
  /** `building`: entries of what is there are still being made. Writes keep its entries all the same. */
  readonly state: 'building' | 'ready'
  /** How far building has come: keys from the root to the last child that has its entry. */
  readonly position: readonly string[]
}

/** All indexes at one moment. */
export interface IndexCatalog {
  readonly indexes: readonly StoredIndex[]
  /** Numbers of indexes that were dropped and whose entries are still to be removed. */
  readonly dropped: readonly number[]
  /** The number that the next one gets. */
  readonly next: number
  /** Finds indexes by place. */
  readonly places: IndexPlaces<StoredIndex>
}

/** Where an index stands in `meta`. */
interface CatalogJson {
  readonly next: number
  readonly dropped: readonly number[]
  readonly indexes: readonly {
    readonly number: number
    readonly place: string
    readonly field: string
    readonly state: 'building' | 'ready'
    readonly position: readonly string[]
  }[]
}

const KEY = Buffer.from('indexes')

const emptyCatalog: IndexCatalog = {
  indexes: [],
  dropped: [],
  next: 1,
  places: new IndexPlaces<StoredIndex>([]),
}

/** Reads catalogs, and parses one that has not changed once only. */
export class CatalogReader {
  readonly #lmdb: Lmdb
  #bytes: Uint8Array | undefined
  #catalog: IndexCatalog = emptyCatalog

  constructor(lmdb: Lmdb) {
    this.#lmdb = lmdb
  }

  read(options: ReadOptions | undefined): IndexCatalog {
    const bytes = this.#lmdb.readBytes(this.#lmdb.meta, KEY, options)
    if (bytes === undefined) return emptyCatalog
    if (this.#bytes === undefined || Buffer.compare(bytes, this.#bytes) !== 0) {
      this.#catalog = parseCatalog(Buffer.from(bytes).toString())
      this.#bytes = bytes
    }
    return this.#catalog
  }
}

export function writeCatalog(lmdb: Lmdb, { indexes, dropped, next }: IndexCatalog): void {
  const json: CatalogJson = {
    next,
    dropped,
    indexes: indexes.map(({ number, place, field, state, position }) => {
      return { number, place, field: field.name, state, position }
    }),
  }
  lmdb.meta.put(KEY, Buffer.from(JSON.stringify(json)))
}

/**
 * The catalog with exactly these indexes. Those that were there stay as they are; the same catalog
 * comes back where nothing changes.
 *
 * @param state Of those that come new: `ready` only where there is nothing to build them from.
 */
export function withDefinitions(
  catalog: IndexCatalog,
  definitions: readonly IndexDefinition[],
  state: StoredIndex['state'],
): IndexCatalog {
  let { next } = catalog
  const kept = catalog.indexes.filter((index) => definitions.some((one) => isSame(one, index)))
  const added = definitions
    .filter((one) => !catalog.indexes.some((index) => isSame(one, index)))
    .map((one) => storedIndex(one, next++, state, []))
  const gone = catalog.indexes.filter((index) => !kept.includes(index))
  if (added.length === 0 && gone.length === 0) return catalog
  const dropped = [...catalog.dropped, ...gone.map(({ number }) => number)]
  return catalogOf([...kept, ...added], dropped, next)
}

/** The catalog in which an index has come further. */
export function withIndex(catalog: IndexCatalog, changed: StoredIndex): IndexCatalog {
  const indexes = catalog.indexes.map((index) =>
    index.number === changed.number ? changed : index,
  )
  return catalogOf(indexes, catalog.dropped, catalog.next)
}

/** The catalog once nothing is left of an index that was dropped. */
export function withoutDropped(catalog: IndexCatalog, number: number): IndexCatalog {
  const dropped = catalog.dropped.filter((one) => one !== number)
  return catalogOf(catalog.indexes, dropped, catalog.next)
}

/** Whether entries are still to be made or removed. */
export function isUnfinished({ indexes, dropped }: IndexCatalog): boolean {
  return dropped.length > 0 || indexes.some(({ state }) => state === 'building')
}

function storedIndex(
  { place, keys, field }: IndexDefinition,
  number: number,
  state: StoredIndex['state'],
  position: readonly string[],
): StoredIndex {
  return { place, keys, field, number, state, position }
}

function isSame(a: IndexDefinition, b: IndexDefinition): boolean {
  return a.place === b.place && a.field.name === b.field.name
}

function catalogOf(
  indexes: readonly StoredIndex[],
  dropped: readonly number[],
  next: number,
): IndexCatalog {
  return { indexes, dropped, next, places: new IndexPlaces(indexes) }
}

function parseCatalog(text: string): IndexCatalog {
  const { indexes, dropped, next } = JSON.parse(text) as CatalogJson
  const stored = indexes.map(({ number, place, field, state, position }): StoredIndex => {
    const [definition] = checkIndexDefinitions({ [place]: [field] })
    return storedIndex(definition!, number, state, position)
  })
  return catalogOf(stored, dropped, next)
}
