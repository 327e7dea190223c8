import { isIndexKey, quote } from './canonical.ts'
import {
  closeBrace,
  closeBracket,
  comma,
  openBrace,
  openBracket,
  quotationMark,
} from './json-units.ts'
import { endOfString } from './json-strings.ts'

/** A part of a text: from `start` up to, not including, `end`. */
export interface TextSpan {
  readonly start: number
  readonly end: number
}

/**
 * Finds the value at the end of `keys` in canonical text in plain form, without parsing it;
 * `undefined` where nothing is. Text in another form gives a wrong answer, not an error.
 */
export function locate(text: string, keys: readonly string[]): TextSpan | undefined {
  let start = 0
  for (const key of keys) {
    const first = text.charCodeAt(start)
    if (first === openBrace) start = startOfMember(text, start + 1, key)
    else if (first === openBracket) start = startOfItem(text, start + 1, key)
    else return undefined
    if (start === -1) return undefined
  }
  // A leaf may be the string "null", which begins with its quotation mark.
  if (text.startsWith('null', start)) return undefined
  return { start, end: endOfValue(text, start) }
}

/**
 * The text with another value in the place of the one at the end of `keys`; `undefined` where
 * nothing is, since a new child may turn an array into an object. What is canonical stays so:
 * `text` in plain form, `replacement` too and not `null`.
 */
export function replaceLocated(
  text: string,
  keys: readonly string[],
  replacement: string,
): string | undefined {
  const span = locate(text, keys)
  return span && text.slice(0, span.start) + replacement + text.slice(span.end)
}

/** Where the value of a member begins, searched from the name of the first one; -1 for nowhere. */
function startOfMember(text: string, at: number, key: string): number {
  const name = `${quote(key)}:`
  let start = at
  while (!text.startsWith(name, start)) {
    const end = endOfValue(text, endOfString(text, start) + 1)
    if (text.charCodeAt(end) !== comma) return -1
    start = end + 1
  }
  return start + name.length
}

function startOfItem(text: string, at: number, key: string): number {
  if (!isIndexKey(key)) return -1
  let start = at
  for (let left = Number(key); left > 0; left--) {
    const end = endOfValue(text, start)
    if (text.charCodeAt(end) !== comma) return -1
    start = end + 1
  }
  return start
}

function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start)
  if (first === quotationMark) return endOfString(text, start)
  return first === openBrace || first === openBracket
    ? endOfContainer(text, start)
    : endOfWord(text, start)
}

function endOfContainer(text: string, start: number): number {
  let depth = 0
  let at = start
  while (at < text.length) {
    const unit = text.charCodeAt(at)
    if (unit === quotationMark) {
      at = endOfString(text, at)
      continue
    }
    if (unit === openBrace || unit === openBracket) depth++
    else if ((unit === closeBrace || unit === closeBracket) && --depth === 0) return at + 1
    at++
  }
  return at
}

/** The end of a number, `true`, `false` or `null`. */
function endOfWord(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === comma || unit === closeBracket || unit === closeBrace) return at
  }
  return text.length
}
