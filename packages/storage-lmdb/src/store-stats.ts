import type { Lmdb } from './lmdb.ts'

/** How much a store holds. Sizes in bytes. */
export interface StoreStats {
  /** Entries of the tree: values in one piece, and heads of larger ones. */
  readonly rows: number
  /** Changes in the change log. */
  readonly changes: number
  /** Heads whose rows are still to be removed. */
  readonly graves: number
  /** Levels of the B+ tree that holds the rows. */
  readonly depth: number
  /** Size of the data file. */
  readonly fileBytes: number
  /** Pages of it that nothing uses, and that the next writes fill first. */
  readonly freeBytes: number
}

export function storeStats(lmdb: Lmdb, changes: number): StoreStats {
  const rows = lmdb.tableStats('rows')
  const fileBytes = lmdb.fileBytes()
  return {
    rows: rows.entries,
    changes,
    graves: lmdb.tableStats('graves').entries,
    depth: rows.depth,
    fileBytes,
    freeBytes: fileBytes - lmdb.usedBytes(),
  }
}
