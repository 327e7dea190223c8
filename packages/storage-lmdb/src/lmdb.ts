/**
 * The only module that talks to lmdb. Two of its calls are dangerous enough to stand nowhere else:
 *
 * - `transactionSync` commits when its callback returns; a callback that returns a promise (such
 *   as the one `put` returns) would keep the transaction open and commit later.
 * - `getBinaryFast` returns one large shared buffer. What lies in it beyond the value is what
 *   earlier reads left there, so its bytes are taken out before anything else happens.
 */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { TreeValue } from '@elkyn/tree'
import type { IndexValue, WriterProgress } from '@elkyn/tree'
import { realpathSync } from 'node:fs'
import * as lmdb from 'lmdb'
import {
  decodeEntry,
  encodeEntry,
  entryMaxBytes,
  HEAD_NUMBER_BYTES,
  writeHeadNumber,
} from './entry.ts'
import type { Entry } from './entry.ts'
import { commitError, storeError } from './failures.ts'
import { writeIndexKey } from './index-key.ts'
import { readName, writeBound, writeName } from './key-encoding.ts'
import type { OpenCursors } from './open-cursors.ts'
import type { Sealer } from './sealer.ts'

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
interface Table<K, V> {
  readonly lastSize: number
  readonly db: { stat(): LmdbStat }
  getBinaryFast(key: K, options?: ReadOptions): Uint8Array | undefined
  put(key: K, value: V): unknown
  remove(key: K): unknown
  getRange(options: object): { iterate(): Iterator<{ key: K; value: unknown }> }
  getKeys(options: object): { iterate(): Iterator<K> }
  getKeysCount(options: object): number
}

interface LmdbStat {
  readonly pageSize: number
  readonly treeDepth: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
  readonly entryCount: number
}

interface Root {
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

/** Where a range of rows begins and ends: everything under a head, or after one of its names. */
interface RowBound {
  readonly head: number
  readonly name: string | typeof NAME_BEGIN | typeof NAME_END
}

/** Size of one table. */
export interface TableStats {
  readonly entries: number
  readonly depth: number
  readonly pages: number
}

/** Bytes keyed by bytes: the log, the graves, the counters. */
export type ByteTable = Table<Uint8Array, Uint8Array>

/** Is shown each row of a scan: first its name, then its value, both to be copied at once. */
export interface RowVisitor<T> {
  /** `bytes` from `start` to `end` is the encoded name. */
  name(bytes: Uint8Array, start: number, end: number): void
  /** The first `size` bytes are the encoded entry. What is returned comes out of the cursor. */
  value(bytes: Uint8Array, size: number): T
}

export interface LmdbOptions {
  readonly path: string
  readonly readOnly: boolean
  /** Whether a commit is on the disk when it returns. */
  readonly syncCommits: boolean
  /** Whether it has to be so, also where this process opened it otherwise before. */
  readonly mustSync: boolean
  readonly maxReaders: number
  readonly sealer: Sealer | undefined
  readonly progress: WriterProgress | undefined
  /** Called in this thread some time after a commit of any thread, while somebody listens. */
  readonly onCommit: () => void
}

/** What a head can be marked for; bits of one number. */
export const HeadMark = {
  /** It got a child with the odd spelling of an integer. */
  odd: 1,
  /** It got a child with a priority. */
  ranked: 2,
} as const

/** Meaning of the words that all threads of the process share. */
export const SharedWord = {
  /** Grows with each commit. */
  commits: 0,
  /** How many stores want `onCommit`. */
  listeners: 1,
  /** A number that only this opening of the folder has. */
  session: 2,
  /** Grows with each write transaction, while it holds LMDB's lock. */
  turns: 3,
  /** 1 when the first opening was `relaxed`: it decides for all whether commits sync. */
  relaxed: 4,
} as const
const SHARED_BYTES = 32

/** Meaning of the words of a {@link WriterProgress}. */
const ProgressWord = { rows: 0, syncing: 1 } as const

const SCRATCH_BYTES = 256 * 1024

/** A buffer whose part from `start` to `end` lmdb stores. */
type Scratch = Buffer & { start?: number; end?: number }

/** LMDB in the calling thread. Entries are read and written by head number and name. */
export class Lmdb {
  readonly #root: Root
  readonly #rows: Table<string | RowBound, Entry>
  /** The same rows, whose names and values go to {@link #visitor} instead of becoming objects. */
  readonly #scanned: Table<string | RowBound, never>
  readonly #clients: ByteTable | undefined
  readonly #indexes: ByteTable | undefined
  readonly #sealer: Sealer | undefined
  readonly #notify: () => void
  readonly log: ByteTable
  readonly graves: ByteTable
  readonly meta: ByteTable
  readonly shared: Int32Array
  /** The head whose row is read or written next: lmdb's key callback gets only the name. */
  #head = 0
  #name = ''
  /** The same for an index entry. */
  #index = 0
  #value: IndexValue = null
  readonly #scratch: Scratch = Buffer.alloc(SCRATCH_BYTES)
  readonly #place: Buffer = Buffer.alloc(2048)
  #placeEnd = 0
  #visitor: RowVisitor<unknown> | undefined
  readonly #pageBytes: number
  readonly #path: string
  #isWriting = false
  readonly #progress: Int32Array | undefined
  /** Rows, names and index entries that were read so far, one by one: how much work that was. */
  entriesRead = 0

  constructor(options: LmdbOptions) {
    this.#sealer = options.sealer
    this.#progress = options.progress?.words
    this.#path = realpathSync(options.path)
    this.#root = openRoot(options)
    try {
      this.#rows = this.#openTable('rows', {
        keyEncoder: { writeKey: this.#writeKey, readKey: readRowName },
        encoder: { copyBuffers: true, encode: this.#encode, decode: this.#decode },
      })
      this.#scanned = this.#openTable('rows', {
        keyEncoder: { writeKey: this.#writeKey, readKey: this.#visitName },
        encoder: { copyBuffers: true, encode: this.#encode, decode: this.#visitValue },
      })
      this.log = this.#openTable('log', { encoding: 'binary', keyEncoding: 'binary' })
      this.graves = this.#openTable('graves', { encoding: 'binary', keyEncoding: 'binary' })
      this.meta = this.#openTable('meta', { encoding: 'binary', keyEncoding: 'binary' })
      // An older database has none until somebody opens it for writing, and only writers look into it.
      this.#clients = options.readOnly
        ? undefined
        : this.#openTable('clients', { encoding: 'binary', keyEncoding: 'binary' })
      // Nor has it this one; and who reads looks for it only where the catalog in `meta` says so.
      this.#indexes = options.readOnly
        ? this.#openIfThere('indexes', this.#indexOptions)
        : this.#openTable('indexes', this.#indexOptions)
      const initial = new ArrayBuffer(SHARED_BYTES)
      new Int32Array(initial)[SharedWord.session] = 1 + Math.floor(Math.random() * 0x7ffffffe)
      new Int32Array(initial)[SharedWord.relaxed] = options.syncCommits ? 0 : 1
      const buffer = this.#root.getUserSharedBuffer('elkyn', initial, {
        envKey: true,
        callback: options.onCommit,
      })
      this.shared = new Int32Array(buffer)
      if (options.mustSync && Atomics.load(this.shared, SharedWord.relaxed) === 1) {
        throw new TypeError(
          `Cannot open "${options.path}" with full durability: this process has it open with relaxed`,
        )
      }
      this.#notify = () => buffer.notify()
      this.#pageBytes = this.#root.getStats().pageSize
    } catch (error) {
      void this.#root.close()
      throw storeError(error, 'Cannot open the database')
    }
  }

  /** Whether a write transaction is open, which lmdb would read from instead of any other. */
  get isWriting(): boolean {
    return this.#isWriting
  }

  /** Whether this thread writes to the folder, here or through another opening: a second one would wait for ever. */
  get isFolderWriting(): boolean {
    return writing.has(this.#path)
  }

  /** A transaction of this thread's own, on the newest commit. */
  beginRead(): ReadTxn {
    // lmdb gives its current transaction up before, so that this is a new one, and this one after, so
    // that its own reads do not share it.
    this.#root.resetReadTxn()
    const txn = this.#root.useReadTransaction()
    this.#root.resetReadTxn()
    return txn
  }

  /** Gives the snapshot of a transaction up; {@link ReadTxn.renew} takes a new one. */
  resetRead(txn: ReadTxn): void {
    // lmdb's own `resetReadTxn()` arms a timer at each renewal, which a thread that never returns
    // to its event loop would gather without end.
    native.resetTxn(txn.address)
  }

  /**
   * Runs `work` in a write transaction, commits, and tells the other threads. `turn` counts the write
   * transactions of all threads: who had the one before knows that nobody came between.
   */
  transact(work: (turn: number) => void): void {
    writing.add(this.#path)
    this.#isWriting = true
    try {
      // The block body matters: see the top of this file.
      this.#root.transactionSync(() => {
        work(Atomics.add(this.shared, SharedWord.turns, 1) + 1)
        this.#setSyncing(1)
      })
    } catch (error) {
      throw commitError(error, this.#path)
    } finally {
      this.#setSyncing(0)
      this.#isWriting = false
      writing.delete(this.#path)
    }
    // After the commit: a reader that sees the new number finds the commit.
    Atomics.add(this.shared, SharedWord.commits, 1)
    if (Atomics.load(this.shared, SharedWord.listeners) > 0) this.#notify()
  }

  /** Reads one row and hands its bytes to `take`, which must copy what it needs. */
  readRow<T>(
    head: number,
    name: string,
    options: ReadOptions | undefined,
    take: (bytes: Uint8Array, size: number) => T,
  ): T | undefined {
    this.#head = head
    this.entriesRead++
    const bytes = this.#rows.getBinaryFast(name, options)
    if (bytes === undefined) return undefined
    const size = this.#rows.lastSize
    if (this.#sealer === undefined) return take(bytes, size)
    const value = this.#sealer.open(this.#placeOf(head, name), copyOf(bytes, 0, size))
    return take(value, value.length)
  }

  entry(head: number, name: string, options: ReadOptions | undefined): Entry | undefined {
    return this.readRow(head, name, options, decodeEntry)
  }

  putRow(head: number, name: string, entry: Entry): void {
    this.#head = head
    this.#name = name
    this.#rows.put(name, entry)
    this.#progressed()
  }

  removeRow(head: number, name: string): void {
    this.#head = head
    this.#rows.remove(name)
    this.#progressed()
  }

  #progressed(): void {
    if (this.#progress !== undefined) Atomics.add(this.#progress, ProgressWord.rows, 1)
  }

  #setSyncing(value: 0 | 1): void {
    if (this.#progress !== undefined) Atomics.store(this.#progress, ProgressWord.syncing, value)
  }

  /** Marks a head, by a row without a name under it, which no child has. */
  markHead(head: number, mark: number): void {
    const marks = this.#marks(head, undefined)
    if ((marks & mark) === 0) this.putRow(head, '', TreeValue.fromNode(marks | mark))
  }

  unmarkHead(head: number): void {
    this.removeRow(head, '')
  }

  isMarked(head: number, mark: number, options: ReadOptions | undefined): boolean {
    return (this.#marks(head, options) & mark) !== 0
  }

  #marks(head: number, options: ReadOptions | undefined): number {
    const entry = this.readRow(head, '', options, decodeEntry)
    // `true` is 1: there was one kind of mark only, at first.
    return entry instanceof TreeValue ? Number(entry.node) : 0
  }

  /** A copy of a value of one of the other tables. */
  readBytes(
    table: ByteTable,
    key: Uint8Array,
    options: ReadOptions | undefined,
  ): Uint8Array | undefined {
    const bytes = table.getBinaryFast(key, options)
    return bytes && copyOf(bytes, 0, table.lastSize)
  }

  /** Names under a head in key order. */
  names(head: number, range: NameRange, options: ReadOptions | undefined): Iterator<string> {
    const low = { head, name: range.after ?? NAME_BEGIN }
    const high = { head, name: range.before ?? NAME_END }
    // Both bounds are exclusive: the row without a name, which is the head's mark, is none of its children.
    const bounds = range.reverse
      ? { start: high, end: low, reverse: true, exclusiveStart: true }
      : { start: low, end: high, exclusiveStart: true }
    const names = this.#rows
      .getKeys({
        ...bounds,
        ...options,
        ...(range.limit === undefined ? {} : { limit: range.limit }),
      })
      .iterate() as Iterator<string>
    return counted(tracked(names, options), () => this.entriesRead++)
  }

  /** Number of names under a head. */
  countNames(head: number, options: ReadOptions | undefined): number {
    const start = { head, name: NAME_BEGIN }
    return this.#rows.getKeysCount({
      start,
      end: { head, name: NAME_END },
      exclusiveStart: true,
      ...options,
    })
  }

  /** Walks the rows under a head in key order and shows each to the visitor that `next` names. */
  scan(head: number, options: ReadOptions | undefined): RowCursor {
    const begun = this.#scanned
      .getRange({
        start: { head, name: NAME_BEGIN },
        end: { head, name: NAME_END },
        exclusiveStart: true,
        ...options,
      })
      .iterate()
    const rows = tracked(begun, options)
    return {
      next: (visitor) => {
        this.#visitor = visitor
        this.#head = head
        const step = rows.next()
        return step.done === true ? undefined : { result: step.value.value as never }
      },
      close: () => {
        rows.return?.()
      },
    }
  }

  /** Resolves when everything committed so far is on the disk. */
  async sync(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#root.sync((error) => {
        if (error) reject(storeError(error, 'Cannot sync'))
        else resolve()
      })
    })
  }

  /** Copies the environment as of now into an existing folder and onto its disk, away from the event loop. */
  async backup(path: string): Promise<void> {
    try {
      await this.#root.backup(path, true)
      await using copy = await open(join(path, 'data.mdb'), 'r+')
      await copy.sync()
    } catch (error) {
      throw storeError(error, 'Cannot back up')
    }
  }

  /** The last write of each client with idempotency keys. Not for those that only read. */
  get clients(): ByteTable {
    if (this.#clients === undefined) throw new TypeError('Cannot write: opened for reading only')
    return this.#clients
  }

  putIndexEntry(head: number, index: number, value: IndexValue, name: string): void {
    this.#setEntry(head, index, value, name)
    this.#indexTable.put(ENTRY, NO_BYTES)
    this.#progressed()
  }

  removeIndexEntry(head: number, index: number, value: IndexValue, name: string): void {
    this.#setEntry(head, index, value, name)
    this.#indexTable.remove(ENTRY)
    this.#progressed()
  }

  removeIndexKey(key: Uint8Array): void {
    this.#indexTable.remove(key)
    this.#progressed()
  }

  /** The entry whose key lmdb asks for next. */
  #setEntry(head: number, index: number, value: IndexValue, name: string): void {
    this.#head = head
    this.#index = index
    this.#value = value
    this.#name = name
  }

  readonly #writeIndexKey = (key: Uint8Array, target: Uint8Array, start: number): number => {
    if (key === ENTRY) {
      return writeIndexKey(this.#head, this.#index, this.#value, this.#name, target, start)
    }
    target.set(key, start)
    return start + key.length
  }

  /** Keys of index entries from `start` up to, not including, `end`; or from the last to the first of them. */
  indexKeys(
    start: Buffer,
    end: Buffer,
    reverse: boolean,
    options: ReadOptions | undefined,
    limit?: number,
  ): Iterator<Uint8Array> {
    const bounds = reverse
      ? { start: end, end: start, reverse: true, exclusiveStart: true, inclusiveEnd: true }
      : { start, end }
    const keys = this.#indexTable
      .getKeys({ ...bounds, ...options, ...(limit === undefined ? {} : { limit }) })
      .iterate()
    return counted(tracked(keys, options), () => this.entriesRead++)
  }

  countIndexKeys(start: Buffer, end: Buffer, options: ReadOptions | undefined): number {
    return this.#indexTable.getKeysCount({ start, end, ...options })
  }

  get #indexTable(): ByteTable {
    if (this.#indexes === undefined) {
      throw new TypeError('Cannot use an index: it came after this thread had opened the folder')
    }
    return this.#indexes
  }

  /** Entries, levels and pages of one of the tables. */
  tableStats(table: 'rows' | 'log' | 'graves' | 'meta' | 'clients' | 'indexes'): TableStats {
    // Begins the read transaction that the next line looks into.
    this.#root.getStats()
    const { db } = this.#tableOf(table) ?? {}
    const stats = db === undefined ? noStats : tableStats(db.stat())
    this.#endStats()
    return stats
  }

  #tableOf(
    table: 'rows' | 'log' | 'graves' | 'meta' | 'clients' | 'indexes',
  ): Pick<ByteTable, 'db'> | undefined {
    if (table === 'rows') return this.#rows
    return table === 'indexes' ? this.#indexes : this[table]
  }

  /** Bytes that the data file has grown to. Costs little. */
  fileBytes(): number {
    const { lastPageNumber } = this.#root.env.info()
    return (lastPageNumber + 1) * this.#pageBytes
  }

  /** Bytes of the address space that the data file may fill before it is mapped anew. */
  mapBytes(): number {
    return this.#root.env.info().mapSize
  }

  /** Read transactions of all threads, and by how many commits the oldest of them is behind. */
  snapshotStats(): { readonly snapshots: number; readonly oldestSnapshotCommits: number } {
    const { lastTxnId } = this.#root.env.info()
    // A line for each slot of the reader table: process, thread, and the commit that is read.
    const commits = this.#root.env
      .readerList()
      .flatMap((line) => /^ *\d+ +[0-9a-f]+ +(\d+)\s*$/.exec(line)?.[1] ?? [])
      .map(Number)
    return {
      snapshots: commits.length,
      oldestSnapshotCommits: commits.length === 0 ? 0 : lastTxnId - Math.min(...commits),
    }
  }

  /** Bytes of the pages that hold something. */
  usedBytes(): number {
    const { root, free } = this.#root.getStats()
    const later = [this.#clients, this.#indexes].filter((table) => table !== undefined)
    const tables = [this.#rows, this.log, this.graves, this.meta, ...later].map(({ db }) =>
      db.stat(),
    )
    const pages = [...tables, root, free].reduce(
      (sum, stat) => sum + tableStats(stat).pages,
      META_PAGES,
    )
    this.#endStats()
    return pages * this.#pageBytes
  }

  async close(): Promise<void> {
    await this.#root.close()
  }

  /** lmdb would hold the snapshot that statistics were read from until the next turn of the event loop. */
  #endStats(): void {
    if (!this.#isWriting) this.#root.resetReadTxn()
  }

  get #indexOptions(): object {
    const keyEncoder = { writeKey: this.#writeIndexKey, readKey: readBytesOf }
    return { keyEncoder, encoding: 'binary' }
  }

  #openTable(name: string, options: object): never {
    const table = this.#openIfThere(name, options)
    if (table === undefined) throw new Error(`There is no database "${name}" in this file`)
    return table as never
  }

  #openIfThere(name: string, options: object): ByteTable | undefined {
    // Key and value types follow from the options, which only lmdb knows.
    return this.#root.openDB(name, options) as ByteTable | undefined
  }

  // The functions below are lmdb's callbacks. It calls them in the middle of its own, so that they
  // find what they need in fields set just before.

  readonly #writeKey = (key: string | RowBound, target: Uint8Array, start: number): number => {
    if (typeof key === 'string') {
      writeHeadNumber(this.#head, target, start)
      return writeName(key, target, start + HEAD_NUMBER_BYTES)
    }
    if (key.name === NAME_END) {
      writeHeadNumber(key.head + 1, target, start)
      return start + HEAD_NUMBER_BYTES
    }
    writeHeadNumber(key.head, target, start)
    const end = start + HEAD_NUMBER_BYTES
    return key.name === NAME_BEGIN ? end : writeBound(key.name, target, end)
  }

  readonly #encode = (entry: Entry): Uint8Array => {
    const most = entryMaxBytes(entry)
    // One long string is no reason to keep that much memory for ever.
    const target: Scratch = most > SCRATCH_BYTES ? Buffer.allocUnsafe(most) : this.#scratch
    const end = encodeEntry(entry, target, 0)
    if (this.#sealer !== undefined) {
      return this.#sealer.seal(this.#placeOf(this.#head, this.#name), target.subarray(0, end))
    }
    target.start = 0
    target.end = end
    return target
  }

  readonly #decode = (): never => {
    throw new Error('Rows are read by readRow() and scan() only')
  }

  readonly #visitName = (bytes: Uint8Array, start: number, end: number): string => {
    if (this.#sealer !== undefined) {
      this.#placeEnd = copyBytes.call(bytes, this.#place, 0, start, end)
    }
    this.#visitor!.name(bytes, start + HEAD_NUMBER_BYTES, end)
    return ''
  }

  readonly #visitValue = (bytes: Uint8Array, size: number): unknown => {
    if (this.#sealer === undefined) return this.#visitor!.value(bytes, size)
    const place = this.#place.subarray(0, this.#placeEnd)
    const value = this.#sealer.open(place, copyOf(bytes, 0, size))
    return this.#visitor!.value(value, value.length)
  }

  /** The bytes of a row's key, to which its sealed value is bound. */
  #placeOf(head: number, name: string): Uint8Array {
    writeHeadNumber(head, this.#place, 0)
    return this.#place.subarray(0, writeName(name, this.#place, HEAD_NUMBER_BYTES))
  }
}

export interface NameRange {
  readonly after?: string | undefined
  readonly before?: string | undefined
  readonly limit?: number | undefined
  readonly reverse?: boolean | undefined
}

export interface RowCursor {
  /** Shows the next row to `visitor`; `undefined` after the last one. */
  next<T>(visitor: RowVisitor<T>): { readonly result: T } | undefined
  close(): void
}

/** Stands for "before every name" as a bound. */
const NAME_BEGIN: unique symbol = Symbol('before every name')

/** Stands for "after every name". */
const NAME_END: unique symbol = Symbol('after every name')

/** Pages at the beginning of the file that say which commit is the last. */
const META_PAGES = 2

const noStats: TableStats = { entries: 0, depth: 0, pages: 0 }

function tableStats(stat: LmdbStat): TableStats {
  return {
    entries: stat.entryCount,
    depth: stat.treeDepth,
    pages: stat.treeBranchPageCount + stat.treeLeafPageCount + stat.overflowPages,
  }
}

const NO_BYTES = new Uint8Array(0)
/** Stands for the key that fields say. */
const ENTRY = new Uint8Array(0)

function readBytesOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return copyOf(bytes, start, end)
}

/** The same iterator, which tells of each item. */
function counted<T>(iterator: Iterator<T>, tell: () => void): Iterator<T> {
  return {
    next() {
      const step = iterator.next()
      if (step.done !== true) tell()
      return step
    },
    return() {
      return iterator.return?.() ?? { done: true, value: undefined }
    },
  }
}

function tracked<T>(iterator: Iterator<T>, options: ReadOptions | undefined): Iterator<T> {
  // Inside a write transaction they end before it does.
  return options === undefined ? iterator : options.cursors.track(iterator)
}

interface NativeExport {
  readonly nativeAddon: { resetTxn(address: number): void }
}

/** A part of lmdb that it exports and does not document. */
const native = (lmdb as typeof lmdb & NativeExport).nativeAddon

function readRowName(bytes: Uint8Array, start: number, end: number): string {
  return readName(bytes, start + HEAD_NUMBER_BYTES, end)
}

/** Folders that this thread is writing to. */
const writing = new Set<string>()

function openRoot(options: LmdbOptions): Root {
  try {
    return lmdb.open({
      path: options.path,
      readOnly: options.readOnly,
      // lmdb would take a folder with a dot in its name for a file.
      noSubdir: false,
      encoding: 'binary',
      keyEncoding: 'binary',
      maxDbs: 16,
      maxReaders: options.maxReaders,
      // A commit is synced when it returns, or not at all: with overlapping sync, a disk image may
      // open on a commit that never reached the disk.
      overlappingSync: false,
      noSync: !options.syncCommits,
    } as lmdb.RootDatabaseOptionsWithPath) as lmdb.RootDatabase & Root
  } catch (error) {
    throw storeError(error, 'Cannot open the database')
  }
}

const copyBytes = Buffer.prototype.copy as (
  this: Uint8Array,
  target: Uint8Array,
  targetStart: number,
  start: number,
  end: number,
) => number

/** A copy with memory of its own of the bytes from `start` to `end`. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(end - start)
  copyBytes.call(bytes, copy, 0, start, end)
  return copy
}

/** Copies the bytes from `start` to `end` into `target` at `targetStart`. */
export function copyInto(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  targetStart: number,
): void {
  copyBytes.call(bytes, target, targetStart, start, end)
}
