import { TreeValue } from '@elkyn/tree'
import type { JsonForm } from '@elkyn/tree'
import { textAt, writeText } from './buffer-text.ts'

/**
 * A node too large for one row. Its children are entries of their own under its number, which no
 * other node ever gets.
 */
export class Head {
  readonly number: number
  readonly priority: number | string | null

  constructor(number: number, priority: number | string | null) {
    this.number = number
    this.priority = priority
  }
}

/** What an LMDB entry holds: a whole value, or the head of a larger one. */
export type Entry = TreeValue | Head

/** First byte of an entry. */
export const Kind = {
  /** The canonical text of a value without priorities: what a `GET` answers. */
  plain: 1,
  /** The canonical text of a value with priorities in it, in export form. */
  export: 2,
  /** A head: number (6 bytes, big-endian), then its priority as JSON, or nothing. */
  head: 3,
} as const

/** Bytes of a head's number, as key prefix and as value. 48 bits last for 8,900 years of a million a second. */
export const HEAD_NUMBER_BYTES = 6

export function formOfKind(kind: number): JsonForm {
  return kind === Kind.export ? 'export' : 'plain'
}

/** Reads an entry out of the first `size` bytes. */
export function decodeEntry(bytes: Uint8Array, size: number): Entry {
  const kind = bytes[0]!
  if (kind === Kind.head) return decodeHead(bytes, size)
  return TreeValue.fromCanonical(textAt(bytes, 1, size), formOfKind(kind))
}

export function decodeHead(bytes: Uint8Array, size: number): Head {
  const end = 1 + HEAD_NUMBER_BYTES
  const priority = size > end ? (JSON.parse(textAt(bytes, end, size)) as number | string) : null
  return new Head(readHeadNumber(bytes, 1), priority)
}

/** Upper bound of the bytes that {@link encodeEntry} writes. */
export function entryMaxBytes(entry: Entry): number {
  if (entry instanceof Head) {
    return typeof entry.priority === 'string' ? 64 + entry.priority.length * 6 : 64
  }
  return 1 + entry.text.length * 3
}

/** Writes an entry into `target` from `start`. @returns the position after it. */
export function encodeEntry(entry: Entry, target: Uint8Array, start: number): number {
  if (entry instanceof Head) {
    target[start] = Kind.head
    writeHeadNumber(entry.number, target, start + 1)
    const end = start + 1 + HEAD_NUMBER_BYTES
    return entry.priority === null ? end : writeText(JSON.stringify(entry.priority), target, end)
  }
  target[start] = entry.form === 'export' ? Kind.export : Kind.plain
  return writeText(entry.text, target, start + 1)
}

export function writeHeadNumber(number: number, target: Uint8Array, start: number): void {
  const high = Math.floor(number / 0x1_0000_0000)
  target[start] = high >>> 8
  target[start + 1] = high
  target[start + 2] = number >>> 24
  target[start + 3] = number >>> 16
  target[start + 4] = number >>> 8
  target[start + 5] = number
}

export function readHeadNumber(bytes: Uint8Array, start: number): number {
  const high = (bytes[start]! << 8) | bytes[start + 1]!
  const low =
    ((bytes[start + 2]! << 24) |
      (bytes[start + 3]! << 16) |
      (bytes[start + 4]! << 8) |
      bytes[start + 5]!) >>>
    0
  return high * 0x1_0000_0000 + low
}
