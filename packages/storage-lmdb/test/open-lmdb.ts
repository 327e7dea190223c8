import { Lmdb } from '../src/lmdb.ts'
import type { LmdbOptions } from '../src/lmdb.ts'

/** LMDB alone, without the rest of a store, which does not sync. */
export function openLmdb(path: string, sealer?: LmdbOptions['sealer']): Lmdb {
  return new Lmdb({
    path,
    readOnly: false,
    syncCommits: false,
    mustSync: false,

    maxReaders: 8,
    sealer,
    progress: undefined,
    onCommit: () => {},
  })
}
