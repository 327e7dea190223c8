import type { TreeStoreStats } from '@elkyn/tree'
import type { Lmdb } from './lmdb.ts'

/** How much a store holds. All of it is known without looking through the data. */
export type StoreStats = Required<TreeStoreStats>

type DataStats = Omit<StoreStats, 'commits' | 'changes' | 'snapshots' | 'oldestSnapshotCommits'>

/** The part that the data file itself says. */
export function storeStats({ stats }: Lmdb): DataStats {
  const rows = stats.table('rows')
  const fileBytes = stats.fileBytes()
  return {
    rows: rows.entries,
    indexEntries: stats.table('indexes').entries,
    graves: stats.table('graves').entries,
    depth: rows.depth,
    mapBytes: stats.mapBytes(),
    fileBytes,
    freeBytes: fileBytes - stats.usedBytes(),
  }
}
