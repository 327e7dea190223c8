import {
  backslash,
  closeBrace,
  closeBracket,
  colon,
  comma,
  minus,
  nine,
  openBrace,
  openBracket,
  point,
  quotationMark,
  zero,
} from './json-units.ts'
import { plainKeyEnd } from './key.ts'
import { countedStringLength, maxDepth } from './limits.ts'

/** Decimals of so many digits are what ECMAScript writes for the doubles that they stand for. */
const exactDigits = 15

/**
 * Whether JSON text is its own canonical text, as that of a value that was read from here is: no
 * white space, members in key order, nothing to remove. Of some that is it says no, where it would
 * have to look closer: for keys beyond ASCII or like integers, escapes, and numbers of many digits. It
 * takes a fraction of the time of parsing, and says no early where members are in another order.
 *
 * @param depth Number of keys above the value.
 */
export function isCanonicalText(text: string, depth: number): boolean {
  return endOfPlainValue(text, 0, depth) === text.length && text.isWellFormed()
}

// Each of these gives the position behind what begins at `at`, or -1 for text that has to be parsed.

function endOfPlainValue(text: string, at: number, depth: number): number {
  switch (text.charCodeAt(at)) {
    case quotationMark:
      return endOfPlainString(text, at)
    case openBrace:
      return endOfObject(text, at, depth)
    case openBracket:
      return endOfArray(text, at, depth)
    case 0x74:
      return text.startsWith('true', at) ? at + 4 : -1
    case 0x66:
      return text.startsWith('false', at) ? at + 5 : -1
    default:
      return endOfNumber(text, at)
  }
}

function endOfPlainString(text: string, at: number): number {
  for (let index = at + 1; ; index++) {
    const unit = text.charCodeAt(index)
    if (unit === quotationMark) return index - at <= countedStringLength ? index + 1 : -1
    // The end of the text is no number, and so not greater either.
    if (!(unit >= 0x20) || unit === backslash) return -1
  }
}

function endOfNumber(text: string, at: number): number {
  const start = text.charCodeAt(at) === minus ? at + 1 : at
  const end = endOfDigits(text, start)
  const isZero = text.charCodeAt(start) === zero
  if (end === start || (isZero && end > start + 1)) return -1
  if (text.charCodeAt(end) !== point) {
    // Minus zero is written as zero.
    return end - start > exactDigits || (isZero && start > at) ? -1 : end
  }
  const fractionEnd = endOfDigits(text, end + 1)
  const isShortest = fractionEnd > end + 1 && text.charCodeAt(fractionEnd - 1) !== zero
  // Smaller ones are written with an exponent.
  const isSmall = isZero && text.startsWith('000000', end + 1)
  return isShortest && !isSmall && fractionEnd - start <= exactDigits + 1 ? fractionEnd : -1
}

function endOfDigits(text: string, at: number): number {
  let end = at
  for (let unit = text.charCodeAt(end); unit >= zero && unit <= nine;) {
    unit = text.charCodeAt(++end)
  }
  return end
}

function endOfArray(text: string, at: number, depth: number): number {
  if (depth >= maxDepth) return -1
  for (let item = at + 1; ; item++) {
    item = endOfPlainValue(text, item, depth + 1)
    if (item === -1) return -1
    const unit = text.charCodeAt(item)
    if (unit === closeBracket) return item + 1
    if (unit !== comma) return -1
  }
}

function endOfObject(text: string, at: number, depth: number): number {
  if (depth >= maxDepth) return -1
  let previous = -1
  for (let member = at + 1; ; member++) {
    const key = member + 1
    const keyEnd = plainKeyEnd(text, key)
    if (text.charCodeAt(member) !== quotationMark || keyEnd === -1) return -1
    // Integer keys begin below the colon; without them key order is that of the units.
    if (previous === -1 ? text.charCodeAt(key) <= colon : !isGreater(text, key, previous)) return -1
    previous = key
    if (text.charCodeAt(keyEnd) !== quotationMark || text.charCodeAt(keyEnd + 1) !== colon)
      return -1
    member = endOfPlainValue(text, keyEnd + 2, depth + 1)
    if (member === -1) return -1
    const unit = text.charCodeAt(member)
    if (unit === closeBrace) return member + 1
    if (unit !== comma) return -1
  }
}

/** Whether the key that begins at `a` is greater than the one at `b`. Both end with a quotation mark. */
function isGreater(text: string, a: number, b: number): boolean {
  for (let offset = 0; ; offset++) {
    const ofA = text.charCodeAt(a + offset)
    const ofB = text.charCodeAt(b + offset)
    // The shorter one is less; no key holds the mark.
    if (ofB === quotationMark) return ofA !== quotationMark
    if (ofA !== ofB) return ofA !== quotationMark && ofA > ofB
  }
}
