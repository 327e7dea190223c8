import type { OpenCursors } from './open-cursors.ts'

/** A read transaction of lmdb, as far as we use it. */
export interface ReadTxn {
  readonly address: number
  renew(): void
  done(): void
}

/** How a read says in which transaction it runs; none is the open write transaction. */
export interface ReadOptions {
  readonly transaction: ReadTxn
  /** Knows the iterators that the transaction must outlive. */
  readonly cursors: OpenCursors
}

/** The part of a database of lmdb that we use, with what its typings leave out. */
export interface Table<K, V> {
  readonly lastSize: number
  readonly db: { stat(): LmdbStat }
  getBinaryFast(key: K, options?: ReadOptions): Uint8Array | undefined
  put(key: K, value: V): unknown
  remove(key: K): unknown
  getRange(options: object): { iterate(): Iterator<{ key: K; value: unknown }> }
  getKeys(options: object): { iterate(): Iterator<K> }
  getKeysCount(options: object): number
}

/** Size of a table, or of all of them. */
export interface LmdbStat {
  readonly pageSize: number
  readonly treeDepth: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
  readonly entryCount: number
}

/** The environment, as its main database. */
export interface Root {
  openDB(name: string, options: object): unknown
  transactionSync(callback: () => void): void
  resetReadTxn(): void
  useReadTransaction(): ReadTxn
  getUserSharedBuffer(
    key: string,
    initial: ArrayBuffer,
    options: { envKey: true; callback: () => void },
  ): ArrayBuffer & { notify(): void }
  readonly env: { info(): EnvironmentInfo; readerList(): readonly string[] }
  getStats(): LmdbStat & { readonly root: LmdbStat; readonly free: LmdbStat }
  sync(callback: (error?: Error) => void): void
  backup(path: string, compact: boolean): Promise<void>
  close(): Promise<void>
}

interface EnvironmentInfo {
  readonly mapSize: number
  readonly lastPageNumber: number
  /** Number of the newest commit. */
  readonly lastTxnId: number
}

/** Bytes keyed by bytes: the log, the graves, the counters. */
export type ByteTable = Table<Uint8Array, Uint8Array>
