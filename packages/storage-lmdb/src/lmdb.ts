/**
 * The only module that talks to lmdb. Two of its calls are dangerous enough to stand nowhere else:
 *
 * - `transactionSync` commits when its callback returns; a callback that returns a promise (such
 *   as the one `put` returns) would keep the transaction open and commit later.
 * - `getBinaryFast` returns one large shared buffer. What lies in it beyond the value is what
 *   earlier reads left there, so its bytes are taken out before anything else happens.
 */
import { realpathSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { TreeValue } from '@elkyn/tree'
import type { WriterProgress } from '@elkyn/tree'
import * as lmdb from 'lmdb'
import { copyInto, copyOf } from './copy-bytes.ts'
import {
  decodeEntry,
  encodeEntry,
  entryMaxBytes,
  HEAD_NUMBER_BYTES,
  writeHeadNumber,
} from './entry.ts'
import type { Entry } from './entry.ts'
import { DiskRoom } from './disk-room.ts'
import { commitError, storeError } from './failures.ts'
import { IndexTable } from './index-table.ts'
import { readName, writeBound, writeName } from './key-encoding.ts'
import { prepareFiles } from './lmdb-files.ts'
import { counted, tracked } from './lmdb-iterators.ts'
import { LmdbStats } from './lmdb-stats.ts'
import type { ByteTable, ReadOptions, ReadTxn, Root, Table } from './lmdb-types.ts'
import { LogTable } from './log-table.ts'
import { prepareEnd, writeTransaction } from './process-end.ts'
import type { Sealer } from './sealer.ts'

/** Where a range of rows begins and ends: everything under a head, or after one of its names. */
interface RowBound {
  readonly head: number
  readonly name: string | typeof NAME_BEGIN | typeof NAME_END
}

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
  /** Called in this thread some time after a commit of any thread, while somebody listens, and by the `tell` methods. */
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
  /** How many want that `onCommit` is called. */
  listeners: 1,
  /** A number that only this opening of the folder has. */
  session: 2,
  /** Grows with each write transaction, while it holds LMDB's lock. */
  turns: 3,
  /** 1 when the first opening was `relaxed`: it decides for all whether commits sync. */
  relaxed: 4,
  /** 1 while indexes are not built any more, for a reason that only the thread knows which built them. */
  indexesFailed: 5,
  /** 1 when the thread that built indexes has closed before it was done. */
  indexesLeft: 6,
} as const
const SHARED_BYTES = 32

/** Meaning of the words of a {@link WriterProgress}. */
const ProgressWord = { rows: 0, syncing: 1 } as const

const SCRATCH_BYTES = 256 * 1024

/** An entry that may have more bytes is worth a look at how many. */
const SHORT_ENTRY_BYTES = 1024

/** A buffer whose part from `start` to `end` lmdb stores. */
type Scratch = Buffer & { start?: number; end?: number }

/** LMDB in the calling thread. Entries are read and written by head number and name. */
export class Lmdb {
  readonly #root: Root
  readonly #rows: Table<string | RowBound, Entry>
  /** The same rows, whose names and values go to {@link #visitor} instead of becoming objects. */
  readonly #scanned: Table<string | RowBound, never>
  readonly #clients: ByteTable | undefined
  readonly #sealer: Sealer | undefined
  readonly #notify: () => void
  readonly log: LogTable
  readonly graves: ByteTable
  readonly meta: ByteTable
  readonly indexes: IndexTable
  readonly stats: LmdbStats
  readonly shared: Int32Array
  readonly #room: DiskRoom
  /** The head whose row is read or written next: lmdb's key callback gets only the name. */
  #head = 0
  #name = ''
  readonly #scratch: Scratch = Buffer.alloc(SCRATCH_BYTES)
  readonly #place: Buffer = Buffer.alloc(2048)
  #placeEnd = 0
  #visitor: RowVisitor<unknown> | undefined
  readonly #path: string
  readonly #isReader: boolean
  #isWriting = false
  /** Whether a small commit has to come before any other. */
  #isCopy = false
  readonly #progress: Int32Array | undefined
  /** Rows, names and index entries that were read so far, one by one: how much work that was. */
  entriesRead = 0

  constructor(options: LmdbOptions) {
    this.#sealer = options.sealer
    this.#progress = options.progress?.words
    this.#path = realpathSync(options.path)
    this.#isReader = options.readOnly
    prepareEnd()
    this.#root = this.#opened(() => openRoot(options))
    try {
      this.#rows = this.#openTable('rows', {
        keyEncoder: { writeKey: this.#writeKey, readKey: readRowName },
        encoder: { copyBuffers: true, encode: this.#encode, decode: this.#decode },
      })
      this.#scanned = this.#openTable('rows', {
        keyEncoder: { writeKey: this.#writeKey, readKey: this.#visitName },
        encoder: { copyBuffers: true, encode: this.#encode, decode: this.#visitValue },
      })
      this.log = new LogTable(
        (table) => this.#openTable('log', table),
        () => this.#room,
      )
      this.graves = this.#openTable('graves', { encoding: 'binary', keyEncoding: 'binary' })
      this.meta = this.#openTable('meta', { encoding: 'binary', keyEncoding: 'binary' })
      // An older database has neither of these until somebody opens it for writing. Only writers look into the first.
      const openAny = (name: string, table: object): ByteTable | undefined =>
        options.readOnly ? this.#openIfThere(name, table) : this.#openTable(name, table)
      this.#clients = openAny('clients', { encoding: 'binary', keyEncoding: 'binary' })
      // And who reads looks into this one only where the catalog in `meta` says so.
      this.indexes = new IndexTable((table) => openAny('indexes', table), {
        onRead: () => this.entriesRead++,
        onWrite: (keyLength, bytes) => {
          this.#room.spend(keyLength, bytes)
          this.progressed()
        },
      })
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
      for (const table of [this.graves, this.meta, this.#clients]) {
        // lmdb's tables for reading only have neither of the two.
        if (table !== undefined && !options.readOnly) countCalls(table, () => this.#room)
      }
      const { log, graves, meta, indexes } = this
      const tables = { rows: this.#rows, log, graves, meta, clients: this.#clients, indexes }
      this.stats = new LmdbStats(this.#root, tables, () => this.#isWriting)
      this.#room = new DiskRoom(this.#path, this.stats)
      this.#isCopy = !options.readOnly && this.stats.hasNoFreePages()
      if (!options.readOnly) this.#room.open()
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
   *
   * @param isRemoval Whether it makes room, so that it may take what is kept for that on a full disk. Default: it does not.
   */
  transact(work: (turn: number) => void, isRemoval = false): void {
    if (this.#isCopy) {
      // In a file that has no free pages yet, as a copy is made, lmdb 3.5.6 ends the process when the first commit
      // frees some hundred of them: an assertion of `mdb_page_alloc` fails. A few do no harm, then or later.
      // https://github.com/kriszyp/lmdb-js/issues/317
      this.#commit(() => {
        this.meta.put(NOTHING, NOTHING)
        this.meta.remove(NOTHING)
      }, true)
      this.#isCopy = false
    }
    this.#commit(work, isRemoval)
  }

  #commit(work: (turn: number) => void, isRemoval: boolean): void {
    writing.add(this.#path)
    this.#isWriting = true
    try {
      writeTransaction((commits) => {
        // The block body matters: see the top of this file.
        this.#root.transactionSync(() => {
          this.#room.begin(isRemoval)
          work(Atomics.add(this.shared, SharedWord.turns, 1) + 1)
          this.#room.check()
          this.#setSyncing(1)
          commits()
        })
      })
    } catch (error) {
      // Before anything is given back: it looks at how much is free.
      const failed = commitError(error, this.#path, this.#room.spent)
      if (this.#room.isShort) this.#giveBack()
      throw failed
    } finally {
      this.#setSyncing(0)
      this.#isWriting = false
      writing.delete(this.#path)
    }
    // After the commit: a reader that sees the new number finds the commit.
    Atomics.add(this.shared, SharedWord.commits, 1)
    this.tellThreads()
  }

  /** What the file was made longer for was of no use. */
  #giveBack(): void {
    try {
      writeTransaction((commits) => {
        this.#root.transactionSync(() => {
          this.#room.giveBack()
          commits()
        })
      })
    } catch {
      // Then the next transaction does it.
    }
  }

  /** Has all threads look at what is new, if any wants to know. */
  tellThreads(): void {
    if (Atomics.load(this.shared, SharedWord.listeners) > 0) this.#notify()
  }

  /** The same for those that have not said so. */
  tellAllThreads(): void {
    this.#notify()
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
    this.#room.spendRow(head, name.length, entryBytes(entry))
    this.#rows.put(name, entry)
    this.progressed()
  }

  removeRow(head: number, name: string): void {
    this.#head = head
    this.#room.spend(name.length, 0)
    this.#rows.remove(name)
    this.progressed()
  }

  /** Whether there is little room on the disk, so that a transaction that could end here should. */
  get isShortOfRoom(): boolean {
    return this.#room.isNearlySpent
  }

  /** Heads from this number on come into being with the transaction that is open. */
  setFreshFrom(number: number): void {
    this.#room.freshFrom = number
  }

  /** Shows that a transaction goes on. */
  progressed(): void {
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
      // Half of a copy is no use, takes room, and would be in the way of the next one.
      await rm(join(path, 'data.mdb'), { force: true }).catch(() => {})
      throw storeError(error, 'Cannot back up')
    }
  }

  /** The last write of each client with idempotency keys. Not for those that only read. */
  get clients(): ByteTable {
    if (this.#clients === undefined) throw new TypeError('Cannot write: opened for reading only')
    return this.#clients
  }

  async close(): Promise<void> {
    this.#room.close()
    await this.#root.close()
  }

  #openTable(name: string, options: object): never {
    const table = this.#openIfThere(name, options)
    if (table === undefined) throw new Error(`There is no database "${name}" in this file`)
    return table as never
  }

  #openIfThere(name: string, options: object): ByteTable | undefined {
    // Key and value types follow from the options, which only lmdb knows.
    return this.#opened(() => this.#root.openDB(name, options)) as ByteTable | undefined
  }

  /** lmdb opens a table in a write transaction, too, but for who only reads, who may be terminated in it. */
  #opened<T>(work: () => T): T {
    return this.#isReader ? work() : writeTransaction(work)
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
      copyInto(bytes, start, end, this.#place, 0)
      this.#placeEnd = end - start
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

/** An entry that is gone with the commit that brings it. */
const NOTHING = Buffer.of(0)

/** Stands for "before every name" as a bound. */
const NAME_BEGIN: unique symbol = Symbol('before every name')

/** Stands for "after every name". */
const NAME_END: unique symbol = Symbol('after every name')

interface NativeExport {
  readonly nativeAddon: { resetTxn(address: number): void }
}

/** A part of lmdb that it exports and does not document. */
const native = (lmdb as typeof lmdb & NativeExport).nativeAddon

/** Has each put and removal counted before. */
function countCalls(table: ByteTable, room: () => DiskRoom): void {
  const put = table.put.bind(table)
  const remove = table.remove.bind(table)
  table.put = (key, value) => {
    room().spend(key.length, value.length)
    return put(key, value)
  }
  table.remove = (key) => {
    room().spend(key.length, 0)
    return remove(key)
  }
}

/** About the bytes of an entry, as far as it is worth to know them. */
function entryBytes(entry: Entry): number {
  const most = entryMaxBytes(entry)
  return most > SHORT_ENTRY_BYTES && entry instanceof TreeValue
    ? Buffer.byteLength(entry.text)
    : most
}

function readRowName(bytes: Uint8Array, start: number, end: number): string {
  return readName(bytes, start + HEAD_NUMBER_BYTES, end)
}

/** Folders that this thread is writing to. */
const writing = new Set<string>()

function openRoot(options: LmdbOptions): Root {
  prepareFiles(options.path)
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
