import { maxKeyBytes, parseIntegerKey } from '@elkyn/tree'
import { textAt } from './buffer-text.ts'

/**
 * How a child's name becomes the tail of an LMDB key, so that bytes sort as the tree's keys do.
 *
 * | name | bytes |
 * | --- | --- |
 * | spells a 32-bit integer | tag 0x10, the number with its sign bit turned (4, big-endian), length of the name (2, big-endian), 0 for a negative zero and else 1 |
 * | anything else | its UTF-8 |
 *
 * No name has a byte below 0x20, so the tag sorts integers before all others; the length puts `1`
 * before `01`; the last byte puts `-0` before `00`.
 */

const INTEGER_TAG = 0x10
const INTEGER_BYTES = 8
const SIGN_BIT = 0x8000_0000

/**
 * Whether `name` spells an integer in a way that arrays do not: `01`, `-1`, `-0`. A node with such a
 * child is never rendered as an array.
 */
export function isOddInteger(name: string): boolean {
  const value = parseIntegerKey(name)
  return value !== undefined && (value < 0 || String(value) !== name)
}

/**
 * Writes the encoding of `name` into `target` at `start`.
 * @returns the position after it.
 */
export function writeName(name: string, target: Uint8Array, start: number): number {
  const integer = parseIntegerKey(name)
  if (integer !== undefined) return writeInteger(name, integer, target, start)
  const length = name.length
  let at = start
  for (let index = 0; index < length; index++) {
    const code = name.charCodeAt(index)
    if (code > 0x7f) return start + writeUtf8(name, target, start)
    target[at++] = code
  }
  return at
}

/** Behind all integers and before all other names, none of which has a byte below 0x20. */
const AFTER_INTEGERS = 0x1f
/** Units of a bound that count: one more than the bytes that a name has at most. */
const BOUND_LENGTH = maxKeyBytes + 1
const BOUND_MAX_BYTES = BOUND_LENGTH + 3
const bound = new Uint8Array(3 * BOUND_LENGTH)

/**
 * Writes the bound of a range, which need not be a name: any text stands where it would stand among
 * names, and is cut where that makes no difference, since lmdb is lost after a key that is too long.
 * @returns the position after it.
 */
export function writeBound(text: string, target: Uint8Array, start: number): number {
  const integer = parseIntegerKey(text)
  if (integer !== undefined) return writeInteger(text, integer, target, start)
  if (!(text.charCodeAt(0) >= 0x20)) {
    target[start] = AFTER_INTEGERS
    return start + 1
  }
  const beginning = text.slice(0, BOUND_LENGTH)
  const end = Math.min(
    beginning.isWellFormed() ? writeAll(beginning, bound) : writeToSurrogate(beginning, bound),
    BOUND_MAX_BYTES,
  )
  // Throws a RangeError where it does not fit, after which lmdb comes again with more room.
  target.set(bound.subarray(0, end), start)
  return start + end
}

/**
 * Writes a text up to the first half of a surrogate pair, and for that what stands in its place among names, which
 * have none: before all characters of its pairs, or behind all pairs. @returns the position after it.
 */
function writeToSurrogate(text: string, target: Uint8Array): number {
  let before = ''
  for (const character of text) {
    if (!character.isWellFormed()) return writeHalf(character, target, writeAll(before, target))
    before += character
  }
  return writeAll(before, target)
}

function writeHalf(half: string, target: Uint8Array, start: number): number {
  if (half >= '\udc00') {
    target[start] = 0xf5
    return start + 1
  }
  // The pairs with this first half begin with the same two bytes and with 16 third ones, of which this has the least.
  target.set(encoder.encode(`${half}\udc00`).subarray(0, 3), start)
  return start + 3
}

function writeAll(text: string, target: Uint8Array): number {
  return encoder.encodeInto(text, target).written
}

const encoder = new TextEncoder()

function writeUtf8(name: string, target: Uint8Array, start: number): number {
  const { read, written } = encoder.encodeInto(name, target.subarray(start))
  // lmdb catches a RangeError as "key too large", which a valid name never is.
  if (read < name.length) throw new RangeError('Key does not fit its buffer')
  return written
}

function writeInteger(name: string, value: number, target: Uint8Array, start: number): number {
  const ordered = (value ^ SIGN_BIT) >>> 0
  target[start] = INTEGER_TAG
  target[start + 1] = ordered >>> 24
  target[start + 2] = ordered >>> 16
  target[start + 3] = ordered >>> 8
  target[start + 4] = ordered
  // Longer ones are bounds only, which sort behind all names of the same number anyway.
  const length = Math.min(name.length, 0xffff)
  target[start + 5] = length >>> 8
  target[start + 6] = length
  target[start + 7] = value === 0 && name.charCodeAt(0) === 0x2d ? 0 : 1
  return start + INTEGER_BYTES
}

/** Whether the encoded name between `start` and the end is that of an integer. */
export function isIntegerAt(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === INTEGER_TAG
}

/** The integer encoded at `start`. Only where {@link isIntegerAt} holds. */
export function integerAt(bytes: Uint8Array, start: number): number {
  const ordered =
    (bytes[start + 1]! << 24) |
    (bytes[start + 2]! << 16) |
    (bytes[start + 3]! << 8) |
    bytes[start + 4]!
  return ordered ^ SIGN_BIT
}

/** The name that was encoded between `start` and `end`. */
export function readName(bytes: Uint8Array, start: number, end: number): string {
  if (bytes[start] !== INTEGER_TAG) return textAt(bytes, start, end)
  const value = integerAt(bytes, start)
  const length = (bytes[start + 5]! << 8) | bytes[start + 6]!
  const negative = value < 0 || bytes[start + 7] === 0
  const digits = String(Math.abs(value))
  return negative ? '-' + digits.padStart(length - 1, '0') : digits.padStart(length, '0')
}
