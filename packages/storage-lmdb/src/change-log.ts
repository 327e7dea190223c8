import { randomFillSync } from 'node:crypto'
import { TreeValue, rootPath } from '@elkyn/tree'
import type { Change, ChangePair, Path } from '@elkyn/tree'
import { bearingOn, strongest } from './bearing.ts'
import type { Bearing } from './bearing.ts'
import { textAt, writeText } from './buffer-text.ts'
import { formOfKind, Kind, readHeadNumber, writeHeadNumber } from './entry.ts'
import { iterableOf } from './iterable.ts'
import type { Lmdb, ReadOptions } from './lmdb.ts'
import type { Sealer } from './sealer.ts'

/**
 * The log of changes. An entry holds the changes of a batch, or of a part of a long one, in order. Its
 * key is the namespace (4 bytes) and the sequence number of its last change (6), both big-endian, so
 * that the first key from a number on is that of the entry that holds it.
 *
 * | bytes | what |
 * | --- | --- |
 * | 6 | bytes of all entries ever logged, this one included |
 * | 2 | number of changes |
 * | per change: 4 | bytes of the rest of it; the highest bit says that it is an update |
 * | 6 | time, milliseconds since 1970 |
 * | 4 | mark: random bits that tell this history from another one with the same numbers |
 * | of an update: 2 | how many bytes of the first pair's path are the path that was updated; 0 for the root |
 * | per pair: 2, 1, 4 | bytes of the path; form of the text (0 a hole, 1 plain, 2 export); its bytes |
 * | | path, text |
 */
const HEADER_BYTES = 8
const CHANGE_HEADER_BYTES = 14
const UPDATE_BIT = 0x8000_0000
const UPDATE_BYTES = 2
const PAIR_HEADER_BYTES = 7
const KEY_BYTES = 10
/** Changes share an entry of up to so many bytes: sealed and with LMDB's header, just four pages. */
const ENTRY_BYTES = 16 * 1024 - 64
const ENTRY_MAX_CHANGES = 0xffff
const NAMESPACE_ID = 1

/** A change is logged with so much text; who needs a value beyond reads it from the tree. */
export const LOGGED_TEXT_MAX_LENGTH: number = 1024 * 1024

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

/** An entry as it lies in the log. */
interface LogEntry {
  /** Number of its last change. */
  readonly sequence: number
  readonly bytes: number
  readonly value: Buffer
}

interface OldestEntry {
  readonly bytes: number
  readonly time: number
}

export class ChangeLog {
  readonly #lmdb: Lmdb
  readonly #sealer: Sealer | undefined
  readonly #epoch: string
  readonly #limits: LogLimits
  readonly #marks: Int32Array = new Int32Array(256)
  #nextMark = 256
  /** The entry that is being filled. */
  #entry: Buffer = Buffer.alloc(4 * ENTRY_BYTES)
  #end = HEADER_BYTES
  #changes = 0
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
      const before = oldest.sequence - oldest.value.readUInt16BE(6)
      return this.position(options).sequence - before
    }
    return 0
  }

  /** Forgets what an aborted transaction left. */
  begin(): void {
    this.#end = HEADER_BYTES
    this.#changes = 0
  }

  /** Adds the change with this number, which {@link flush} stores. */
  append(sequence: number, time: number, pairs: readonly ChangePair[], update?: Path): Change {
    const mark = this.#mark()
    this.#encode(time, mark, pairs, update)
    this.#changes++
    return new LoggedChange(this.#epoch, sequence, time, mark, pairs, update)
  }

  /** Whether a change belongs into the same entry as those added since the last flush. */
  hasRoom(pairs: readonly ChangePair[]): boolean {
    if (this.#changes === 0) return true
    return this.#changes < ENTRY_MAX_CHANGES && this.#end + likelyBytes(pairs) <= ENTRY_BYTES
  }

  /** Stores what was added, inside the open write transaction. @returns where the log stands then. */
  flush(last: LogPosition): LogPosition {
    if (this.#changes === 0) return last
    const position = { sequence: last.sequence + this.#changes, bytes: last.bytes + this.#end }
    writeHeadNumber(position.bytes, this.#entry, 0)
    this.#entry.writeUInt16BE(this.#changes, 6)
    const key = writeKey(position.sequence, this.#key)
    const value = this.#entry.subarray(0, this.#end)
    this.#lmdb.log.put(key, this.#sealer === undefined ? value : this.#sealer.seal(key, value))
    this.begin()
    return position
  }

  /**
   * Drops the oldest entries that are over the limits, at most twice the bytes that came since
   * `before`, so that no batch pays for many others. The newest entry stays.
   */
  trim(before: LogPosition, newest: LogPosition, now: number): void {
    // Another thread may have dropped it meanwhile; then the oldest is younger, and is kept as well.
    if (this.#oldest !== undefined && this.#keeps(this.#oldest, newest, now)) return
    const old: Uint8Array[] = []
    let kept: number | undefined
    for (const { sequence, bytes, value } of this.#entries({}, undefined)) {
      this.#oldest = { bytes, time: readHeadNumber(value, HEADER_BYTES + 4) }
      if (this.#keeps(this.#oldest, newest, now) || sequence >= newest.sequence) break
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
  *changesAfter(sequence: number, options: ReadOptions | undefined): Iterable<Change> {
    for (const entry of this.#entries({ start: keyOf(sequence + 1) }, options)) {
      yield* this.#changesOf(entry, sequence + 1)
    }
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
      const first = entry.sequence - entry.value.readUInt16BE(6) + 1
      if (first > next) yield undefined
      yield strongest(bearingsOf(entry.value, next - first, path))
      next = entry.sequence + 1
    }
  }

  /**
   * The id of the change with this number, where the log still has it. That of 0 stands for the empty
   * tree before the first change, which every log with that epoch begins with.
   */
  idOf(sequence: number, options: ReadOptions | undefined): string | undefined {
    if (sequence === 0) return this.#hasBeginning(options) ? `${this.#epoch}-0-0` : undefined
    for (const entry of this.#entries({ start: keyOf(sequence), limit: 1 }, options)) {
      return this.#changesOf(entry, sequence, sequence)[0]?.id
    }
    return undefined
  }

  #hasBeginning(options: ReadOptions | undefined): boolean {
    for (const oldest of this.#entries({ limit: 1 }, options)) {
      return oldest.sequence === oldest.value.readUInt16BE(6)
    }
    return true
  }

  /** A change that stands for all up to a number that are not kept. No change has its id. */
  lost(sequence: number, time: number): Change {
    const id = `${this.#epoch}-${sequence}-lost`
    return { sequence, time, id, pairs: [{ path: rootPath, value: undefined }] }
  }

  /** The number of the change with this id; `undefined` when it is not of this history or not kept. */
  sequenceOf(id: string, options: ReadOptions | undefined): number | undefined {
    const sequence = Number(id.split('-')[1])
    if (!Number.isSafeInteger(sequence) || sequence < 0 || sequence > MAX_SEQUENCE) return undefined
    return this.idOf(sequence, options) === id ? sequence : undefined
  }

  /** Removes all entries, inside the open write transaction. */
  clear(): void {
    const keys = [...iterableOf(() => this.#lmdb.log.getKeys({ start: keyOf(0) }).iterate())]
    for (const key of keys) this.#lmdb.log.remove(key)
  }

  /** Copies each entry as it is into the open write transaction of another log with the same key. */
  *copyTo(other: ChangeLog, options: ReadOptions | undefined): Generator<void, void, void> {
    const rows = () => this.#lmdb.log.getRange({ start: keyOf(0), ...options }).iterate()
    for (const { key, value } of iterableOf(rows)) {
      other.#lmdb.log.put(key, value as Uint8Array)
      yield
    }
  }

  *#entries(range: object, options: ReadOptions | undefined): Iterable<LogEntry> {
    const bounds =
      'reverse' in range
        ? { start: keyOf(MAX_SEQUENCE), end: keyOf(0) }
        : { start: keyOf(0), end: keyOf(MAX_SEQUENCE) }
    const rows = () => this.#lmdb.log.getRange({ ...bounds, ...range, ...options }).iterate()
    for (const { key, value: stored } of iterableOf(rows)) {
      const sealed = stored as Uint8Array
      const value = this.#sealer === undefined ? bufferOf(sealed) : this.#sealer.open(key, sealed)
      yield { sequence: readHeadNumber(key, 4), bytes: readHeadNumber(value, 0), value }
    }
  }

  /** The changes of an entry from one number up to another, at once: a generator costs more than what it yields. */
  #changesOf({ sequence, value }: LogEntry, first: number, last = sequence): Change[] {
    const changes: Change[] = []
    const paths = new PathReader(value)
    let number = sequence - value.readUInt16BE(6) + 1
    for (let at = HEADER_BYTES; at < value.length && number <= last; number++) {
      const end = changeEnd(value, at)
      if (number >= first) {
        const time = readHeadNumber(value, at + 4)
        const mark = value.readInt32BE(at + 10)
        const pairs = decodePairs(value, pairsStart(value, at), end, paths)
        const update = updateAt(value, at)
        changes.push(new LoggedChange(this.#epoch, number, time, mark, pairs, update))
      }
      at = end
    }
    return changes
  }

  #encode(
    time: number,
    mark: number,
    pairs: readonly ChangePair[],
    update: Path | undefined,
  ): void {
    const start = this.#end
    this.#reserve(pairs)
    const target = this.#entry
    let end = start + CHANGE_HEADER_BYTES
    if (update !== undefined) {
      const length = update === rootPath ? 0 : Buffer.byteLength(update)
      end = target.writeUInt16BE(length, end)
    }
    for (const pair of pairs) end = encodePair(pair, target, end)
    const flag = update === undefined ? 0 : UPDATE_BIT
    target.writeUInt32BE(end - start - 4 + flag, start)
    writeHeadNumber(time, target, start + 4)
    target.writeInt32BE(mark, start + 10)
    this.#end = end
  }

  #reserve(pairs: readonly ChangePair[]): void {
    let most = this.#end + CHANGE_HEADER_BYTES + UPDATE_BYTES
    for (const { path, value } of pairs) {
      most +=
        PAIR_HEADER_BYTES + path.length * 3 + (value === undefined ? 0 : value.text.length * 3)
    }
    if (most <= this.#entry.length) return
    const larger = Buffer.alloc(most)
    this.#entry.copy(larger, 0, 0, this.#end)
    this.#entry = larger
  }

  #mark(): number {
    if (this.#nextMark === this.#marks.length) {
      randomFillSync(this.#marks)
      this.#nextMark = 0
    }
    return this.#marks[this.#nextMark++]!
  }
}

/** A change whose id is made when somebody asks: most changes are only logged. */
class LoggedChange implements Change {
  readonly #epoch: string
  readonly #mark: number
  readonly sequence: number
  readonly time: number
  readonly pairs: readonly ChangePair[]
  readonly update: Path | undefined

  constructor(
    epoch: string,
    sequence: number,
    time: number,
    mark: number,
    pairs: readonly ChangePair[],
    update: Path | undefined,
  ) {
    this.#epoch = epoch
    this.#mark = mark
    this.sequence = sequence
    this.time = time
    this.pairs = pairs
    this.update = update
  }

  get id(): string {
    return `${this.#epoch}-${this.sequence}-${hexOf(this.#mark)}`
  }
}

const hexBytes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** The bits of a mark in hexadecimal, without zeros in front. `toString(16)` takes most of the time of an id. */
function hexOf(mark: number): string {
  const bits = mark >>> 0
  if (bits < 0x1000_0000) return bits.toString(16)
  const [a, b] = [hexBytes[bits >>> 24]!, hexBytes[(bits >>> 16) & 255]!]
  return a + b + hexBytes[(bits >>> 8) & 255]! + hexBytes[bits & 255]!
}

/** Bytes of a change whose text is ASCII; a little more than that is no harm. */
function likelyBytes(pairs: readonly ChangePair[]): number {
  let bytes = CHANGE_HEADER_BYTES + UPDATE_BYTES
  for (let index = 0; index < pairs.length; index++) {
    const { path, value } = pairs[index]!
    bytes += PAIR_HEADER_BYTES + path.length + (value === undefined ? 0 : value.text.length)
  }
  return bytes
}

/** The pair as it goes into the log: without its value where that has more text than there is room for. */
export function loggedPair(path: Path, value: TreeValue, room: number): ChangePair {
  return { path, value: value.text.length > room ? undefined : value }
}

const MAX_SEQUENCE = 2 ** 48 - 1

function keyOf(sequence: number): Buffer {
  return writeKey(sequence, Buffer.alloc(KEY_BYTES))
}

function writeKey(sequence: number, key: Buffer): Buffer {
  key.writeUInt32BE(NAMESPACE_ID, 0)
  writeHeadNumber(sequence, key, 4)
  return key
}

function encodePair({ path, value }: ChangePair, target: Buffer, start: number): number {
  const pathEnd = writeText(path, target, start + PAIR_HEADER_BYTES)
  const end = value === undefined ? pathEnd : writeText(value.text, target, pathEnd)
  target.writeUInt16BE(pathEnd - start - PAIR_HEADER_BYTES, start)
  target[start + 2] = value === undefined ? 0 : value.form === 'export' ? Kind.export : Kind.plain
  target.writeUInt32BE(end - pathEnd, start + 3)
  return end
}

/** Where the change ends that starts at a place of an entry. */
function changeEnd(bytes: Buffer, at: number): number {
  return at + 4 + (bytes.readUInt32BE(at) & ~UPDATE_BIT)
}

function isUpdate(bytes: Buffer, at: number): boolean {
  return bytes.readUInt32BE(at) >= UPDATE_BIT
}

function pairsStart(bytes: Buffer, at: number): number {
  return at + CHANGE_HEADER_BYTES + (isUpdate(bytes, at) ? UPDATE_BYTES : 0)
}

/** The path that was updated by the change at a place of an entry; `undefined` where it is no update. */
function updateAt(bytes: Buffer, at: number): Path | undefined {
  if (!isUpdate(bytes, at)) return undefined
  const length = bytes.readUInt16BE(at + CHANGE_HEADER_BYTES)
  if (length === 0) return rootPath
  const start = pairsStart(bytes, at) + PAIR_HEADER_BYTES
  return textAt(bytes, start, start + length) as Path
}

/** Reads paths of an entry. What is written again and again has one path, and is compared faster than read. */
class PathReader {
  readonly #bytes: Buffer
  #path: Path = rootPath
  #start = 0
  #length = -1

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  read(start: number, end: number): Path {
    if (end - start !== this.#length || !this.#isSameAt(start)) {
      this.#path = textAt(this.#bytes, start, end) as Path
      this.#start = start
      this.#length = end - start
    }
    return this.#path
  }

  #isSameAt(start: number): boolean {
    // From the end, where the paths of neighbours differ.
    for (let index = this.#length - 1; index >= 0; index--) {
      if (this.#bytes[start + index] !== this.#bytes[this.#start + index]) return false
    }
    return true
  }
}

function decodePairs(bytes: Buffer, start: number, end: number, paths: PathReader): ChangePair[] {
  const pairs: ChangePair[] = []
  for (let at = start; at < end;) {
    const pathEnd = at + PAIR_HEADER_BYTES + bytes.readUInt16BE(at)
    const kind = bytes[at + 2]!
    const textEnd = pathEnd + bytes.readUInt32BE(at + 3)
    const path = paths.read(at + PAIR_HEADER_BYTES, pathEnd)
    const text = textAt(bytes, pathEnd, textEnd)
    const value = kind === 0 ? undefined : TreeValue.fromCanonical(text, formOfKind(kind))
    pairs.push({ path, value })
    at = textEnd
  }
  return pairs
}

/** How the changes of an entry, without the first ones, bear on a path. */
function* bearingsOf(bytes: Buffer, skipped: number, path: Path): Iterable<Bearing> {
  let left = skipped
  for (let at = HEADER_BYTES; at < bytes.length; left--) {
    const end = changeEnd(bytes, at)
    if (left <= 0) yield* bearingsOfPairs(bytes, pairsStart(bytes, at), end, path)
    at = end
  }
}

function* bearingsOfPairs(
  bytes: Buffer,
  start: number,
  end: number,
  path: Path,
): Iterable<Bearing> {
  for (let at = start; at < end;) {
    const pathEnd = at + PAIR_HEADER_BYTES + bytes.readUInt16BE(at)
    yield bearingOn(path, textAt(bytes, at + PAIR_HEADER_BYTES, pathEnd) as Path)
    at = pathEnd + bytes.readUInt32BE(at + 3)
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
