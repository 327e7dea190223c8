import { anyBranch } from '@elkyn/tree'
import type { Edge, IndexValue } from '@elkyn/tree'
import { HEAD_NUMBER_BYTES, readHeadNumber, writeHeadNumber } from './entry.ts'
import { readName, writeBound, writeName } from './key-encoding.ts'

/*
 * The key of an index entry. Its bytes sort as the children do; the entry has no value.
 *
 * | part | bytes |
 * | --- | --- |
 * | head under which the child lies | 6, big-endian |
 * | number of the index | 4, big-endian |
 * | kind of the value | 1: nothing 0x10, false 0x20, true 0x21, number 0x30, string 0x40, branch 0x50 |
 * | a number | 8: IEEE 754, big-endian, sign bit turned, all bits turned when it was negative |
 * | a string | its UTF-16 units as UTF-8 writes them, each unit by itself, U+0000 as 01 01 and U+0001 as 01 02; then 00 |
 * | a string with more than 512 of these bytes | the first 512; then 01 |
 * | name of the child | as in the key of its row |
 *
 * No byte of a string is 00 and none is below 01, so that a string sorts before those that it begins.
 * Unit by unit, and not by code point, because that is how strings are ordered (names are not).
 */

const INDEX_PREFIX_BYTES = HEAD_NUMBER_BYTES + 4
const STRING_MAX_BYTES = 512

const Tag = {
  nothing: 0x10,
  false: 0x20,
  true: 0x21,
  number: 0x30,
  string: 0x40,
  branch: 0x50,
} as const
const COMPLETE = 0
const CUT = 1

/** Room for the longest key: prefix, tag, string, terminator, name. */
const scratch = Buffer.alloc(2048)

/** What the key of an index entry says. */
export interface IndexKey {
  readonly name: string
  /** `undefined` for a string that was cut. */
  readonly value: IndexValue | undefined
  /** Bytes before the name, equal for all children whose values look the same. */
  readonly valueEnd: number
}

export function indexKey(head: number, index: number, value: IndexValue, name: string): Buffer {
  return copied(writeIndexKey(head, index, value, name, scratch, 0))
}

/**
 * Writes the key of an entry into `target` at `start`, where there has to be room for the longest one.
 * @returns the position after it.
 */
export function writeIndexKey(
  head: number,
  index: number,
  value: IndexValue,
  name: string,
  target: Uint8Array,
  start: number,
): number {
  return writeName(name, target, writeValue(value, target, writePrefix(head, index, target, start)))
}

/** The least key of an index under a head; with the number after it, the end of its keys. */
export function indexStart(head: number, index: number): Buffer {
  return copied(writePrefix(head, index, scratch, 0))
}

/** Whether a value stands in keys with its beginning only. */
export function isCut(value: IndexValue): boolean {
  if (typeof value !== 'string' || value.length * 3 <= STRING_MAX_BYTES) return false
  return scratch[writeValue(value, scratch, 0) - 1] === CUT
}

/**
 * The key from which on entries lie behind an edge. Where its value is a string that was cut, all with
 * the same beginning count as behind a low edge and before a high one: who reads them has to look.
 */
export function edgeKey(head: number, index: number, edge: Edge, which: 'low' | 'high'): Buffer {
  const end = writeValue(edge.value, scratch, writePrefix(head, index, scratch, 0))
  if (typeof edge.value === 'string' && scratch[end - 1] === CUT) {
    return which === 'low' ? copied(end) : successor(end)
  }
  if (edge.key === undefined) return edge.side === 'before' ? copied(end) : successor(end)
  // Any text may stand for a key here.
  const nameEnd = writeBound(edge.key, scratch, end)
  if (edge.side === 'before') return copied(nameEnd)
  // The least key behind this one.
  scratch[nameEnd] = 0
  return copied(nameEnd + 1)
}

export function readIndexKey(bytes: Uint8Array): IndexKey {
  const start = INDEX_PREFIX_BYTES + 1
  const tag = bytes[INDEX_PREFIX_BYTES]
  if (tag === Tag.number) {
    const valueEnd = start + 8
    return { name: nameFrom(bytes, valueEnd), value: readNumber(bytes, start), valueEnd }
  }
  if (tag === Tag.string) {
    let end = start
    while (end < start + STRING_MAX_BYTES && bytes[end] !== COMPLETE) end++
    const valueEnd = end + 1
    const value = bytes[end] === COMPLETE ? readString(bytes, start, end) : undefined
    return { name: nameFrom(bytes, valueEnd), value, valueEnd }
  }
  return { name: nameFrom(bytes, start), value: wordOf(tag), valueEnd: start }
}

export function headOfIndexKey(bytes: Uint8Array): number {
  return readHeadNumber(bytes, 0)
}

export function indexOfIndexKey(bytes: Uint8Array): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).readUInt32BE(HEAD_NUMBER_BYTES)
}

function writePrefix(head: number, index: number, target: Uint8Array, start: number): number {
  writeHeadNumber(head, target, start)
  const at = start + HEAD_NUMBER_BYTES
  target[at] = index >>> 24
  target[at + 1] = index >>> 16
  target[at + 2] = index >>> 8
  target[at + 3] = index
  return start + INDEX_PREFIX_BYTES
}

/** Writes a value behind the prefix. @returns the position after it. */
function writeValue(value: IndexValue, target: Uint8Array, start: number): number {
  if (typeof value === 'number') {
    target[start] = Tag.number
    return writeNumber(value, target, start + 1)
  }
  if (typeof value === 'string') {
    target[start] = Tag.string
    return writeString(value, target, start + 1)
  }
  if (typeof value === 'boolean') target[start] = value ? Tag.true : Tag.false
  else target[start] = value === null ? Tag.nothing : Tag.branch
  return start + 1
}

const number = new DataView(new ArrayBuffer(8))
const numberBytes = new Uint8Array(number.buffer)

function writeNumber(value: number, target: Uint8Array, start: number): number {
  // Adding zero makes one zero of both.
  number.setFloat64(0, value + 0)
  const isNegative = numberBytes[0]! >= 0x80
  const turned = isNegative ? 0xff : 0
  for (let at = 0; at < 8; at++) target[start + at] = numberBytes[at]! ^ turned
  if (!isNegative) target[start]! ^= 0x80
  return start + 8
}

function readNumber(bytes: Uint8Array, start: number): number {
  const copy = Buffer.from(bytes.subarray(start, start + 8))
  const isNegative = copy[0]! < 0x80
  copy[0] = copy[0]! ^ 0x80
  if (isNegative) {
    copy[0] = copy[0] ^ 0x7f
    for (let at = 1; at < 8; at++) copy[at] = ~copy[at]!
  }
  return copy.readDoubleBE(0)
}

function writeString(text: string, target: Uint8Array, start: number): number {
  const limit = start + STRING_MAX_BYTES
  let at = start
  for (let index = 0; index < text.length; index++) {
    if (at >= limit) return cutAt(target, limit)
    const unit = text.charCodeAt(index)
    if (unit > 1 && unit < 0x80) target[at++] = unit
    else at = writeUnit(unit, target, at)
  }
  if (at > limit) return cutAt(target, limit)
  target[at] = COMPLETE
  return at + 1
}

function cutAt(target: Uint8Array, limit: number): number {
  target[limit] = CUT
  return limit + 1
}

function writeUnit(unit: number, target: Uint8Array, start: number): number {
  let at = start
  if (unit < 2) {
    target[at++] = 1
    target[at++] = unit + 1
  } else if (unit < 0x800) {
    target[at++] = 0xc0 | (unit >> 6)
    target[at++] = 0x80 | (unit & 0x3f)
  } else {
    target[at++] = 0xe0 | (unit >> 12)
    target[at++] = 0x80 | ((unit >> 6) & 0x3f)
    target[at++] = 0x80 | (unit & 0x3f)
  }
  return at
}

function readString(bytes: Uint8Array, start: number, end: number): string {
  const units: number[] = []
  for (let at = start; at < end;) {
    const first = bytes[at++]!
    if (first === 1) units.push(bytes[at++]! - 1)
    else if (first < 0x80) units.push(first)
    else if (first < 0xe0) units.push(((first & 0x1f) << 6) | (bytes[at++]! & 0x3f))
    else {
      const high = (first & 0x0f) << 12
      units.push(high | ((bytes[at]! & 0x3f) << 6) | (bytes[at + 1]! & 0x3f))
      at += 2
    }
  }
  return String.fromCharCode(...units)
}

function wordOf(tag: number | undefined): IndexValue {
  if (tag === Tag.true) return true
  if (tag === Tag.false) return false
  return tag === Tag.branch ? anyBranch : null
}

function nameFrom(bytes: Uint8Array, start: number): string {
  return readName(bytes, start, bytes.length)
}

/** The least bytes behind all that begin with the first `end` ones. */
function successor(end: number): Buffer {
  let last = end - 1
  // A key never consists of such bytes only: heads do not come so far.
  while (scratch[last] === 0xff) last--
  const bytes = copied(last + 1)
  bytes[last] = bytes[last]! + 1
  return bytes
}

function copied(end: number): Buffer {
  return Buffer.from(scratch.subarray(0, end))
}
