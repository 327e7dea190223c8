import { randomFillSync } from 'node:crypto'
import { TreeValue, rootPath } from '@elkyn/tree'
import type { Change, ChangePair, Path } from '@elkyn/tree'
import { textAt, writeText } from './buffer-text.ts'
import { formOfKind, Kind, readHeadNumber, writeHeadNumber } from './entry.ts'
import { iterableOf } from './iterable.ts'
import type { Lmdb, ReadOptions } from './lmdb.ts'
import type { Sealer } from './sealer.ts'

/**
 * The log of changes: one entry each, keyed by namespace (4 bytes) and sequence number (6), both
 * big-endian.
 *
 * | bytes | what |
 * | --- | --- |
 * | 6 | time, milliseconds since 1970 |
 * | 4 | mark: random bits that tell this history from another one with the same numbers |
 * | 6 | bytes of all entries ever logged, this one included |
 * | per pair: 2, 1, 4 | length of the path, form of the text (0 a hole, 1 plain, 2 export), its length |
 * | | path, text |
 */
const HEADER_BYTES = 16
const PAIR_HEADER_BYTES = 7
const KEY_BYTES = 10
const NAMESPACE_ID = 1

/** Longer texts are not logged: who needs the value reads it from the tree. */
const LOGGED_TEXT_MAX_LENGTH: number = 1024 * 1024

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
  readonly sequence: number
  readonly time: number
  readonly mark: number
  readonly bytes: number
  readonly value: Uint8Array
}

export class ChangeLog {
  readonly #lmdb: Lmdb
  readonly #sealer: Sealer | undefined
  readonly #epoch: string
  readonly #limits: LogLimits
  #scratch: Buffer = Buffer.alloc(64 * 1024)
  readonly #marks: Int32Array = new Int32Array(256)
  #nextMark = 256

  constructor(lmdb: Lmdb, epoch: string, limits: LogLimits, sealer: Sealer | undefined) {
    this.#lmdb = lmdb
    this.#epoch = epoch
    this.#limits = limits
    this.#sealer = sealer
  }

  /** The newest entry's number and the bytes logged up to it. */
  position(options: ReadOptions | undefined): LogPosition {
    for (const entry of this.#entries({ reverse: true, limit: 1 }, options)) {
      return { sequence: entry.sequence, bytes: entry.bytes }
    }
    return { sequence: 0, bytes: 0 }
  }

  /** Adds a change behind `last`, inside the open write transaction. */
  append(last: LogPosition, time: number, pairs: readonly ChangePair[]): Change & LogPosition {
    const sequence = last.sequence + 1
    const mark = this.#mark()
    const end = this.#encode(time, mark, last.bytes, pairs)
    const bytes = last.bytes + end
    const key = keyOf(sequence)
    const value = this.#scratch.subarray(0, end)
    this.#lmdb.log.put(key, this.#sealer === undefined ? value : this.#sealer.seal(key, value))
    return { sequence, bytes, time, id: this.#id(sequence, mark), pairs }
  }

  /** Drops up to `most` of the oldest entries that are over the limits; never the newest one. */
  trim(newest: LogPosition, now: number, most: number): void {
    const old: Uint8Array[] = []
    for (const entry of this.#entries({ limit: most }, undefined)) {
      if (entry.sequence >= newest.sequence) break
      const isKept =
        newest.bytes - entry.bytes < this.#limits.maxBytes &&
        now - entry.time < this.#limits.maxAgeMs
      if (isKept) break
      old.push(keyOf(entry.sequence))
    }
    for (const key of old) this.#lmdb.log.remove(key)
  }

  /** The changes after a sequence number, oldest first, as far back as the log reaches. */
  *changesAfter(sequence: number, options: ReadOptions | undefined): Iterable<Change> {
    for (const entry of this.#entries({ start: keyOf(sequence + 1) }, options)) {
      yield {
        sequence: entry.sequence,
        time: entry.time,
        id: this.#id(entry.sequence, entry.mark),
        pairs: decodePairs(entry.value),
      }
    }
  }

  /** The id of the change with this number, where the log still has it. */
  idOf(sequence: number, options: ReadOptions | undefined): string | undefined {
    for (const entry of this.#entries({ start: keyOf(sequence), limit: 1 }, options)) {
      if (entry.sequence === sequence) return this.#id(sequence, entry.mark)
    }
    return undefined
  }

  /** The number of the change with this id; `undefined` when it is not of this history or not kept. */
  sequenceOf(id: string, options: ReadOptions | undefined): number | undefined {
    const sequence = Number(id.split('-')[1])
    if (!Number.isSafeInteger(sequence) || sequence < 1 || sequence > MAX_SEQUENCE) return undefined
    return this.idOf(sequence, options) === id ? sequence : undefined
  }

  #id(sequence: number, mark: number): string {
    return `${this.#epoch}-${sequence}-${(mark >>> 0).toString(16)}`
  }

  *#entries(range: object, options: ReadOptions | undefined): Iterable<LogEntry> {
    const bounds =
      'reverse' in range
        ? { start: keyOf(MAX_SEQUENCE), end: keyOf(0) }
        : { start: keyOf(0), end: keyOf(MAX_SEQUENCE) }
    const rows = () => this.#lmdb.log.getRange({ ...bounds, ...range, ...options }).iterate()
    for (const { key, value: stored } of iterableOf(rows)) {
      const sealed = stored as Uint8Array
      const value = this.#sealer === undefined ? sealed : this.#sealer.open(key, sealed)
      yield {
        sequence: readHeadNumber(key, 4),
        time: readHeadNumber(value, 0),
        mark: readInt32(value, 6),
        bytes: readHeadNumber(value, 10),
        value,
      }
    }
  }

  #encode(time: number, mark: number, bytesBefore: number, pairs: readonly ChangePair[]): number {
    let most = HEADER_BYTES
    for (const { path, value } of pairs) {
      most +=
        PAIR_HEADER_BYTES + path.length * 3 + (value === undefined ? 0 : value.text.length * 3)
    }
    if (most > this.#scratch.length) this.#scratch = Buffer.alloc(most)
    const target = this.#scratch
    let end = HEADER_BYTES
    for (const pair of pairs) end = encodePair(pair, target, end)
    writeHeadNumber(time, target, 0)
    target.writeInt32BE(mark, 6)
    writeHeadNumber(bytesBefore + end, target, 10)
    return end
  }

  #mark(): number {
    if (this.#nextMark === this.#marks.length) {
      randomFillSync(this.#marks)
      this.#nextMark = 0
    }
    return this.#marks[this.#nextMark++]!
  }
}

/** A change that stands for everything that the log no longer has. */
export function lostChanges(sequence: number, time: number, id: string): Change {
  return { sequence, time, id, pairs: [{ path: rootPath, value: undefined }] }
}

/** The pair as it goes into the log: without its value where that is too long. */
export function loggedPair(path: Path, value: TreeValue | undefined): ChangePair {
  const isHole = value === undefined || value.text.length > LOGGED_TEXT_MAX_LENGTH
  return { path, value: isHole ? undefined : value }
}

const MAX_SEQUENCE = 2 ** 48 - 1

function keyOf(sequence: number): Buffer {
  const key = Buffer.alloc(KEY_BYTES)
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

function decodePairs(entry: Uint8Array): ChangePair[] {
  const pairs: ChangePair[] = []
  const bytes = Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength)
  for (let at = HEADER_BYTES; at < bytes.length;) {
    const pathEnd = at + PAIR_HEADER_BYTES + bytes.readUInt16BE(at)
    const kind = bytes[at + 2]!
    const end = pathEnd + bytes.readUInt32BE(at + 3)
    const path = textAt(bytes, at + PAIR_HEADER_BYTES, pathEnd) as Path
    const text = textAt(bytes, pathEnd, end)
    const value = kind === 0 ? undefined : TreeValue.fromCanonical(text, formOfKind(kind))
    pairs.push({ path, value })
    at = end
  }
  return pairs
}

function readInt32(bytes: Uint8Array, start: number): number {
  return (
    (bytes[start]! << 24) | (bytes[start + 1]! << 16) | (bytes[start + 2]! << 8) | bytes[start + 3]!
  )
}
