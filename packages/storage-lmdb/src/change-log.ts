import { randomFillSync } from 'node:crypto'
import { TreeError, rootPath } from '@elkyn/tree'
import type { Change, ChangePair, Path } from '@elkyn/tree'
import type { Bearing } from './bearing.ts'
import { readHeadNumber, writeHeadNumber } from './entry.ts'
import { sequenceIn } from './change-id.ts'
import type { ChangedPaths } from './changed-paths.ts'
import { giveBack } from './give-back.ts'
import { iterableOf } from './iterable.ts'
import type { Lmdb } from './lmdb.ts'
import type { ReadOptions } from './lmdb-types.ts'
import { CursorChanges, LogCursor } from './log-cursor.ts'
import { LogEntry, beginning } from './log-entry.ts'
import { LogEntryWriter } from './log-entry-writer.ts'
import { LoggedChange } from './logged-change.ts'
import type { Reader } from './readers.ts'
import type { Sealer } from './sealer.ts'

const KEY_BYTES = 10
/** Which log it is. There is one only: several databases share it, as decision 060 has them in one tree. */
const LOG_ID = 1

export interface LogLimits {
  /** Entries are dropped, oldest first, while all of them together have more bytes. */
  readonly maxBytes: number
  /** And while they are older, in milliseconds. */
  readonly maxAgeMs: number
}

/** Where the log stands. */
export interface LogPosition {
  readonly sequence: number
  readonly bytes: number
}

interface OldestEntry {
  readonly bytes: number
  readonly time: number
}

/** The log of changes, in entries that each hold those of a batch. */
export class ChangeLog {
  readonly #lmdb: Lmdb
  readonly #sealer: Sealer | undefined
  readonly #epoch: string
  readonly #limits: LogLimits
  readonly #marks: Int32Array = new Int32Array(256)
  #nextMark = 256
  /** The entry that is being filled. */
  readonly #entry: LogEntryWriter = new LogEntryWriter()
  readonly #key: Buffer = Buffer.alloc(KEY_BYTES)
  /** What decides whether the oldest entry stays, so that it is not read for each batch. */
  #oldest: OldestEntry | undefined

  constructor(lmdb: Lmdb, epoch: string, limits: LogLimits, sealer: Sealer | undefined) {
    this.#lmdb = lmdb
    this.#epoch = epoch
    this.#limits = limits
    this.#sealer = sealer
  }

  /** The newest change's number and the bytes logged up to it. */
  position(options: ReadOptions | undefined): LogPosition {
    for (const { sequence, bytes } of this.#entries({ reverse: true, limit: 1 }, options)) {
      return { sequence, bytes }
    }
    return { sequence: 0, bytes: 0 }
  }

  /** How many changes the log holds. */
  count(options: ReadOptions | undefined): number {
    for (const oldest of this.#entries({ limit: 1 }, options)) {
      return this.position(options).sequence - oldest.first + 1
    }
    return 0
  }

  /** Forgets what an aborted transaction left. */
  begin(): void {
    this.#entry.begin()
  }

  /** Adds the change with this number, which {@link flush} stores. */
  append(sequence: number, time: number, pairs: readonly ChangePair[], update?: Path): Change {
    const mark = this.#mark()
    this.#entry.add(time, mark, pairs, update)
    return new LoggedChange(this.#epoch, sequence, time, mark, pairs, update)
  }

  /** Whether a change belongs into the same entry as those added since the last flush. */
  hasRoom(pairs: readonly ChangePair[]): boolean {
    return this.#entry.hasRoom(pairs)
  }

  /** Stores what was added, inside the open write transaction. @returns where the log stands then. */
  flush(last: LogPosition): LogPosition {
    const { changes, length } = this.#entry
    if (changes === 0) return last
    const position = { sequence: last.sequence + changes, bytes: last.bytes + length }
    const key = writeKey(position.sequence, this.#key)
    const value = this.#entry.finish(position.bytes)
    this.#lmdb.log.put(key, this.#sealer === undefined ? value : this.#sealer.seal(key, value))
    this.begin()
    return position
  }

  /**
   * Drops the oldest entries that are over the limits, at most twice the bytes that came since
   * `before`, so that no batch pays for many others. The newest entry stays.
   *
   * @param isFull Whether there is no room, so that also those within the limits make place for what came.
   */
  trim(before: LogPosition, newest: LogPosition, now: number, isFull: boolean): void {
    const keeps = (entry: OldestEntry) => !isFull && this.#keeps(entry, newest, now)
    // Another thread may have dropped it meanwhile; then the oldest is younger, and is kept as well.
    if (this.#oldest !== undefined && keeps(this.#oldest)) return
    const old: Uint8Array[] = []
    let kept: number | undefined
    for (const { sequence, bytes, time } of this.#entries({}, undefined)) {
      this.#oldest = { bytes, time }
      if (keeps(this.#oldest) || sequence >= newest.sequence) break
      kept ??= bytes
      old.push(keyOf(sequence))
      if (bytes - kept > 2 * (newest.bytes - before.bytes)) break
    }
    for (const key of old) this.#lmdb.log.remove(key)
  }

  #keeps({ bytes, time }: OldestEntry, newest: LogPosition, now: number): boolean {
    const { maxBytes, maxAgeMs } = this.#limits
    return newest.bytes - bytes < maxBytes && now - time < maxAgeMs
  }

  /** The changes after a sequence number, oldest first, as far back as the log reaches. */
  changesAfter(sequence: number, options: ReadOptions | undefined): Iterable<Change> {
    return new CursorChanges(this.cursorAfter(sequence, options))
  }

  /** The same, one at a time. */
  cursorAfter(sequence: number, options: ReadOptions | undefined): LogCursor {
    return this.#cursor(this.#entriesFrom(sequence + 1, options), sequence + 1)
  }

  /**
   * The change with this id and those behind it, where the log has it.
   *
   * @param begin Gives what to read with, when the first of them is looked for.
   * @param end Takes it back, when nothing is read any more.
   */
  cursorFrom(id: string, begin: () => Reader, end: (reader: Reader) => void): LogCursor {
    return this.#cursor(this.#entriesFromId(id, begin, end), sequenceIn(id))
  }

  *#entriesFromId(
    id: string,
    begin: () => Reader,
    end: (reader: Reader) => void,
  ): Generator<LogEntry, void, void> {
    const reader = begin()
    try {
      const sequence = this.sequenceOf(id, reader.options)
      if (sequence === 0) {
        yield beginning
        // There is no cursor of lmdb yet that would say so.
        if (reader.isClosed)
          throw new TreeError('ERR_STORE_CLOSED', 'Cannot read: the store is closed')
      }
      if (sequence !== undefined) yield* this.#entriesFrom(sequence, reader.options)
    } finally {
      end(reader)
    }
  }

  #cursor(entries: Iterator<LogEntry, void>, from: number): LogCursor {
    return new LogCursor(entries, this.#epoch, from)
  }

  #entriesFrom(
    sequence: number,
    options: ReadOptions | undefined,
  ): Generator<LogEntry, void, void> {
    return this.#entries({ start: keyOf(sequence) }, options)
  }

  /**
   * How what came after a sequence number bears on what is at a path, one entry of the log after the
   * other; `undefined` when the log does not reach back so far.
   */
  *bearingsAfter(
    sequence: number,
    path: Path,
    options: ReadOptions | undefined,
  ): Generator<Bearing | undefined, void, void> {
    let next = sequence + 1
    for (const entry of this.#entries({ start: keyOf(Math.max(next, 0)) }, options)) {
      if (entry.first > next) yield undefined
      yield entry.bearing(next, path)
      next = entry.sequence + 1
    }
  }

  /**
   * Adds what came after a sequence number and up to another one. What was added before may come again.
   *
   * @returns whether the log reaches back so far.
   */
  addPathsTo(
    changed: ChangedPaths,
    sequence: number,
    end: number,
    options: ReadOptions | undefined,
  ): boolean {
    let next = sequence + 1
    for (const entry of this.#entries({ start: keyOf(next) }, options)) {
      if (next > end) break
      // Also where it begins behind the end: then nothing is left of what was asked for.
      if (entry.first > next) return false
      entry.addPathsTo(changed, next)
      next = entry.sequence + 1
    }
    return next > end
  }

  /**
   * The id of the change with this number, where the log still has it. That of 0 stands for the empty
   * tree before the first change, which every log with that epoch begins with.
   */
  idOf(sequence: number, options: ReadOptions | undefined): string | undefined {
    if (sequence === 0) return this.#hasBeginning(options) ? `${this.#epoch}-0-0` : undefined
    using cursor = this.#cursor(this.#entriesFrom(sequence, options), sequence)
    return cursor.next() && cursor.sequence === sequence ? cursor.id : undefined
  }

  #hasBeginning(options: ReadOptions | undefined): boolean {
    for (const oldest of this.#entries({ limit: 1 }, options)) {
      return oldest.first === 1
    }
    return true
  }

  /** A change that stands for all up to a number that are not kept. No change has its id. */
  lost(sequence: number, time: number): Change {
    const id = `${this.#epoch}-${sequence}-lost`
    return { sequence, time, id, pairs: [{ path: rootPath, value: undefined }] }
  }

  /** Stands for the changes of the entry behind a sequence number, which is not read. */
  damaged(sequence: number, options: ReadOptions): Change {
    const range = { start: keyOf(sequence + 1), limit: 1, ...options }
    const [key] = iterableOf(() => this.#lmdb.log.keys(range))
    return this.lost(readHeadNumber(key!, 4), Date.now())
  }

  /** The number of the change with this id; `undefined` when it is not of this history or not kept. */
  sequenceOf(id: string, options: ReadOptions | undefined): number | undefined {
    const sequence = sequenceIn(id)
    if (!Number.isSafeInteger(sequence) || sequence < 0 || sequence > MAX_SEQUENCE) return undefined
    return this.idOf(sequence, options) === id ? sequence : undefined
  }

  /** Removes all entries, inside the open write transaction. */
  clear(): void {
    const keys = [...iterableOf(() => this.#lmdb.log.keys({ start: keyOf(0) }))]
    for (const key of keys) this.#lmdb.log.remove(key)
  }

  /** Copies each entry as it is into the open write transaction of another log with the same key. */
  *copyTo(other: ChangeLog, options: ReadOptions | undefined): Generator<void, void, void> {
    const rows = () => this.#lmdb.log.scan({ start: keyOf(0) }, options)
    for (const { key, value } of iterableOf(rows)) {
      other.#lmdb.log.put(key, value)
      yield
    }
  }

  /** Each holds until the next one is read. */
  *#entries(range: object, options: ReadOptions | undefined): Generator<LogEntry, void, void> {
    const bounds =
      'reverse' in range
        ? { start: keyOf(MAX_SEQUENCE), end: keyOf(0) }
        : { start: keyOf(0), end: keyOf(MAX_SEQUENCE) }
    const rows = () => this.#lmdb.log.scan({ ...bounds, ...range }, options)
    for (const { key, value: stored } of iterableOf(rows)) {
      yield new LogEntry(readHeadNumber(key, 4), this.#opened(key, stored))
    }
  }

  #opened(key: Uint8Array, stored: Buffer): Buffer {
    if (this.#sealer === undefined) return stored
    const value = this.#sealer.open(key, stored)
    giveBack(stored)
    return value
  }

  #mark(): number {
    if (this.#nextMark === this.#marks.length) {
      randomFillSync(this.#marks)
      this.#nextMark = 0
    }
    return this.#marks[this.#nextMark++]!
  }
}

const MAX_SEQUENCE = 2 ** 48 - 1

function keyOf(sequence: number): Buffer {
  return writeKey(sequence, Buffer.alloc(KEY_BYTES))
}

function writeKey(sequence: number, key: Buffer): Buffer {
  key.writeUInt32BE(LOG_ID, 0)
  writeHeadNumber(sequence, key, 4)
  return key
}
