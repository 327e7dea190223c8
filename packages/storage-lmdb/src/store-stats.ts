import type { TreeStoreStats } from '@elkyn/tree'
import type { Lmdb } from './lmdb.ts'

/** How much a store holds. All of it is known without looking through the data. */
export type StoreStats = Required<TreeStoreStats>

type DataStats = Omit<StoreStats, 'commits' | 'changes' | 'snapshots' | 'oldestSnapshotCommits'>

/** The part that the data file itself says. */
export function storeStats(lmdb: Lmdb): DataStats {
  const rows = lmdb.tableStats('rows')
  const fileBytes = lmdb.fileBytes()
  return {
    rows: rows.entries,
    indexEntries: lmdb.tableStats('indexes').entries,
    graves: lmdb.tableStats('graves').entries,
    depth: rows.depth,
    mapBytes: lmdb.mapBytes(),
    fileBytes,
    freeBytes: fileBytes - lmdb.usedBytes(),
  }
}
