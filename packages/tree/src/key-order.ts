import { maxKeyBytes } from './limits.ts'

/**
 * Orders keys as the children of a node are ordered: keys that read as 32-bit integers come first
 * by number, spellings of one number by length (`1` before `01`) and `-0` before `00`; all others
 * follow by code point. That is also the order of their UTF-8 bytes, so that a store may compare
 * bytes, and differs from the order of UTF-16 units only beyond U+FFFF.
 */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0
  const left = parseIntegerKey(a)
  const right = parseIntegerKey(b)
  if (left === undefined) return right === undefined ? compareCodePoints(a, b) : 1
  if (right === undefined) return -1
  return left - right || a.length - b.length || compareCodePoints(a, b)
}

/** The number that a key stands for in key order; `undefined` when it is not a 32-bit integer. */
export function parseIntegerKey(key: string): number | undefined {
  const first = key.charCodeAt(0)
  // Not a number of an empty text either.
  if (!(first >= hyphen && first <= nine)) return undefined
  const { length } = key
  if (length === 1) return first >= zero ? first - zero : undefined
  const isNegative = first === hyphen
  let at = isNegative ? 1 : 0
  // No regular expression: for zeros with something else behind them it would go back for each.
  while (at < length - 1 && key.charCodeAt(at) === zero) at++
  if (length - at > maxDigits) return undefined
  let number = 0
  for (; at < length; at++) {
    const digit = key.charCodeAt(at) - zero
    if (digit < 0 || digit > 9) return undefined
    number = 10 * number + digit
  }
  if (isNegative) return number <= 0x8000_0000 ? 0 - number : undefined
  return number <= 0x7fff_ffff ? number : undefined
}

const hyphen = 0x2d
const zero = 0x30
const nine = 0x39

/** Of a 32-bit integer, behind its zeros. */
const maxDigits = 10

/**
 * A text that stands where the given one does among keys, and is hardly longer than they are: to compare it with many takes no
 * longer than to compare keys does.
 */
export function shortKeyBound(text: string): string {
  if (text.length <= maxKeyBytes) return text
  // Of the spellings of a number the longest is the last one, and no key is longer than this.
  if (parseIntegerKey(text) !== undefined) {
    return text.slice(0, maxKeyBytes + 1 - maxDigits) + text.slice(-maxDigits)
  }
  // What is cut off is behind the end of each key. The letter keeps digits from being taken for a number.
  return `${text.slice(0, maxKeyBytes)}x`
}

/** Orders strings by code point, which is the order of their UTF-8 bytes. */
function compareCodePoints(a: string, b: string): number {
  const common = Math.min(a.length, b.length)
  for (let index = 0; index < common; index++) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left !== right) {
      return left < 0xd800 || right < 0xd800 ? left - right : rank(left) - rank(right)
    }
  }
  return a.length - b.length
}

// Surrogates stand for code points beyond U+FFFF, so they and U+E000 to U+FFFF change places.
function rank(unit: number): number {
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
