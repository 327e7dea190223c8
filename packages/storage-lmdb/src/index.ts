import { prepareEnd } from './process-end.ts'

export { compactTree } from './compact-tree.ts'
export { lmdbStorage } from './lmdb-storage.ts'
export { openTree } from './open-tree.ts'
export type { OpenTreeOptions } from './open-tree.ts'
export type { QueryPage, Tree } from './tree.ts'
export type { IndexStatus } from './store-indexes.ts'
export type { ListenerOptions, TreeEvent, WatchOptions } from './watch.ts'
export type { StoreStats } from './store-stats.ts'
export { StorageError } from './errors.ts'
export type { StorageErrorCode } from './errors.ts'

// In a main thread that only starts the threads which open something.
prepareEnd()
