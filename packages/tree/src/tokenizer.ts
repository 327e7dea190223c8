import { TreeError } from './errors.ts'
import type { TreeErrorCode } from './errors.ts'
import {
  backslash,
  closeBrace,
  closeBracket,
  colon,
  comma,
  letterU,
  lineFeed,
  openBrace,
  openBracket,
  quotationMark,
  space,
} from './json-units.ts'
import { maxStringBytes } from './limits.ts'
import { ownText } from './own-text.ts'
import { Utf8Stream } from './utf8-stream.ts'
import { exceedsUtf8Length, isHighSurrogate, isLowSurrogate } from './utf8.ts'

/** Where in the input something begins. */
export interface TextPlace {
  /** From 1. */
  readonly line: number
  /** From 1, in UTF-16 units, as JavaScript counts characters. */
  readonly column: number
}

/**
 * Hears of each token of a JSON text in order, and of the place where the token begins. The object
 * that says the place is the same for all tokens, and changes: what is to be kept has to be copied.
 */
export interface JsonHandler {
  startObject(at: TextPlace): void
  endObject(at: TextPlace): void
  startArray(at: TextPlace): void
  endArray(at: TextPlace): void
  /** The name of a member. The value follows. */
  key(name: string, at: TextPlace): void
  string(value: string, at: TextPlace): void
  /** A number as it was written, so that the handler decides about its precision. */
  number(literal: string, at: TextPlace): void
  /** `true`, `false` or `null`. */
  word(value: boolean | null, at: TextPlace): void
}

// What may come next.
const Expect = {
  value: 0,
  itemOrEnd: 1,
  key: 2,
  keyOrEnd: 3,
  colon: 4,
  commaOrEnd: 5,
  nothing: 6,
} as const
type Expectation = (typeof Expect)[keyof typeof Expect]

const wanted: Readonly<Record<Expectation, string>> = {
  [Expect.value]: 'a value',
  [Expect.itemOrEnd]: 'a value or "]"',
  [Expect.key]: 'a member name',
  [Expect.keyOrEnd]: 'a member name or "}"',
  [Expect.colon]: '":"',
  [Expect.commaOrEnd]: '"," or the end of the container',
  [Expect.nothing]: 'nothing more',
}

/** So many parts of a string are joined, then it gets memory of its own. */
const maxParts = 1024

const numberLiteral = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const hexDigits = /^[\da-fA-F]+$/

const escapes = new Map(
  Object.entries({ '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }),
)

/**
 * Reads JSON (RFC 8259, nothing more) that comes in chunks of any size, cut anywhere, and reports
 * its tokens. It never recurses and holds nothing but the token that a chunk ended in; the depth
 * of the text is for the handler to limit. After an error it can't go on.
 *
 * Chunks are decoded whole before they are read: `slice` of a decoded chunk is many times faster
 * than decoding each string by itself.
 */
export class JsonTokenizer implements TextPlace {
  readonly #handler: JsonHandler
  readonly #utf8 = new Utf8Stream()
  #expect: Expectation = Expect.value
  /** For each open container whether it is an object. */
  readonly #containers: boolean[] = []

  // Places are indices into the current chunk. At its end they are moved down by its length, so
  // that they go on counting in the next one, from below zero.
  #line = 1
  #lineStart = 0
  #tokenStart = 0
  #started = false

  /** What the last chunk ended in. */
  #open: 'word' | 'string' | undefined
  /** The word, number or string that is being read: its beginning, */
  #beginning = ''
  /** what was read behind that, */
  #text = ''
  /** and of how many parts. */
  #parts = 0
  /** The escape that the last chunk ended in, from its backslash on. */
  #escape = ''
  /** Where an escaped high surrogate that waits for its other half began. */
  #highSurrogate: number | undefined

  constructor(handler: JsonHandler) {
    this.#handler = handler
  }

  get line(): number {
    return this.#line
  }

  get column(): number {
    return this.#tokenStart - this.#lineStart + 1
  }

  /**
   * Takes the next part of the input.
   * @throws {TreeError} `ERR_JSON_SYNTAX`, `ERR_INVALID_STRING` for what is not UTF-8 or half of a
   * surrogate pair, `ERR_STRING_TOO_LARGE`; and whatever the handler throws.
   */
  write(chunk: Uint8Array | string): void {
    if (typeof chunk === 'string') return this.#read(chunk)
    const { text, valid } = this.#utf8.decode(chunk)
    this.#read(text)
    if (!valid) this.#failEncoding()
  }

  /** Ends the input. @throws {TreeError} when the text is not complete, as `write`. */
  end(): void {
    if (!this.#utf8.decode().valid) this.#failEncoding()
    if (this.#open === 'word') this.#endWord()
    if (this.#expect === Expect.nothing) return
    this.#tokenStart = 0
    if (!this.#started) this.#fail('ERR_JSON_SYNTAX', 'the input is empty')
    const missing = this.#open === 'string' ? 'the end of a string' : wanted[this.#expect]
    this.#fail('ERR_JSON_SYNTAX', `the input ends where ${missing} was expected`)
  }

  #read(text: string): void {
    let at = this.#continue(text)
    while (at < text.length) {
      const unit = text.charCodeAt(at)
      if (unit > space) at = this.#token(text, at, unit)
      else this.#space(unit, at++)
    }
    this.#tokenStart -= text.length
    this.#lineStart -= text.length
    if (this.#highSurrogate !== undefined) this.#highSurrogate -= text.length
  }

  /** Goes on with the token that the last chunk ended in. Returns where the next one may begin. */
  #continue(text: string): number {
    if (this.#open === 'word') return this.#readWord(text, 0)
    return this.#open === 'string' ? this.#readString(text, 0) : 0
  }

  #space(unit: number, at: number): void {
    if (unit === lineFeed) {
      this.#line++
      this.#lineStart = at + 1
    } else if (unit !== space && unit !== 0x09 && unit !== 0x0d) {
      this.#tokenStart = at
      this.#failUnexpected('a control character')
    }
  }

  #token(text: string, at: number, unit: number): number {
    this.#tokenStart = at
    this.#started = true
    if (unit === quotationMark) {
      if (!this.#mayBeKey() && !this.#mayBeValue()) this.#failUnexpected('a string')
      return this.#readString(text, at + 1)
    }
    if (unit === comma) this.#comma()
    else if (unit === colon) this.#colon()
    else if (unit === openBrace) this.#startContainer(true)
    else if (unit === closeBrace) this.#endContainer(true)
    else if (unit === openBracket) this.#startContainer(false)
    else if (unit === closeBracket) this.#endContainer(false)
    else return this.#readWord(text, at)
    return at + 1
  }

  #mayBeKey(): boolean {
    return this.#expect === Expect.key || this.#expect === Expect.keyOrEnd
  }

  #mayBeValue(): boolean {
    return this.#expect === Expect.value || this.#expect === Expect.itemOrEnd
  }

  #comma(): void {
    if (this.#expect !== Expect.commaOrEnd) this.#failUnexpected('","')
    this.#expect = this.#containers.at(-1) === true ? Expect.key : Expect.value
  }

  #colon(): void {
    if (this.#expect !== Expect.colon) this.#failUnexpected('":"')
    this.#expect = Expect.value
  }

  #startContainer(isObject: boolean): void {
    if (!this.#mayBeValue()) this.#failUnexpected(isObject ? '"{"' : '"["')
    this.#containers.push(isObject)
    this.#expect = isObject ? Expect.keyOrEnd : Expect.itemOrEnd
    if (isObject) this.#handler.startObject(this)
    else this.#handler.startArray(this)
  }

  #endContainer(isObject: boolean): void {
    const first = isObject ? Expect.keyOrEnd : Expect.itemOrEnd
    const isOpen = this.#containers.at(-1) === isObject
    if (!isOpen || (this.#expect !== Expect.commaOrEnd && this.#expect !== first)) {
      this.#failUnexpected(isObject ? '"}"' : '"]"')
    }
    this.#containers.pop()
    this.#endValue()
    if (isObject) this.#handler.endObject(this)
    else this.#handler.endArray(this)
  }

  #endValue(): void {
    this.#expect = this.#containers.length === 0 ? Expect.nothing : Expect.commaOrEnd
  }

  #readWord(text: string, start: number): number {
    let at = start
    while (at < text.length && isWordUnit(text.charCodeAt(at))) at++
    this.#open = 'word'
    this.#add(text.slice(start, at))
    if (at < text.length) this.#endWord()
    else this.#limitOpenText()
    return at
  }

  #endWord(): void {
    const word = this.#takeText()
    if (!this.#mayBeValue()) this.#failUnexpected(shown(word))
    this.#endValue()
    if (word === 'true') this.#handler.word(true, this)
    else if (word === 'false') this.#handler.word(false, this)
    else if (word === 'null') this.#handler.word(null, this)
    else if (numberLiteral.test(word)) this.#handler.number(word, this)
    else this.#failWord(word)
  }

  /** Reads on inside a string, of which `#text` holds what came before `start`. */
  #readString(text: string, start: number): number {
    let from = start
    if (this.#escape !== '') from = this.#readEscape(text, from)
    for (let at = from; at < text.length; at++) {
      const unit = text.charCodeAt(at)
      if (unit >= space && unit !== quotationMark && unit !== backslash) continue
      if (unit < space) this.#failInString(at, 'a control character in a string must be escaped')
      if (at > from) this.#addText(text.slice(from, at))
      if (unit === quotationMark) return this.#endString(at + 1)
      from = this.#readEscape(text, at)
      at = from - 1
    }
    if (from < text.length) this.#addText(text.slice(from))
    this.#open = 'string'
    this.#limitOpenText()
    return text.length
  }

  #addText(text: string): void {
    this.#failLoneSurrogate()
    this.#add(text)
  }

  #add(text: string): void {
    this.#text += text
    if (++this.#parts < maxParts) return
    // One that is joined of parts of a character takes thirty times its memory.
    this.#beginning += ownText(this.#text)
    this.#text = ''
    this.#parts = 0
  }

  /** What was read, once it has ended. */
  #takeText(): string {
    const text = this.#beginning === '' ? this.#text : this.#beginning + this.#text
    this.#beginning = ''
    this.#text = ''
    this.#parts = 0
    this.#open = undefined
    return text
  }

  #endString(end: number): number {
    this.#failLoneSurrogate()
    const value = this.#takeText()
    if (exceedsUtf8Length(value, maxStringBytes)) this.#failTooLarge()
    // Bytes can't decode to halves of pairs, and escaped ones are refused, but text can hold them.
    if (!value.isWellFormed()) this.#fail('ERR_INVALID_STRING', 'half of a surrogate pair')
    if (this.#mayBeKey()) {
      this.#expect = Expect.colon
      this.#handler.key(value, this)
    } else {
      this.#endValue()
      this.#handler.string(value, this)
    }
    return end
  }

  /** Reads an escape, or the rest of one, and returns where it ends. */
  #readEscape(text: string, start: number): number {
    let at = start
    while (at < text.length) {
      this.#escape += text[at++]
      const length = this.#escape.length
      if (length === 1) continue
      if (this.#escape.charCodeAt(1) !== letterU) {
        this.#endShortEscape(at)
        return at
      }
      if (length > 2 && !hexDigits.test(this.#escape.slice(2))) this.#failEscape(at)
      if (length === 6) {
        this.#endUnicodeEscape(at)
        return at
      }
    }
    return at
  }

  #endShortEscape(end: number): void {
    const character = escapes.get(this.#escape.slice(1)) ?? this.#failEscape(end)
    this.#escape = ''
    this.#addText(character)
  }

  #endUnicodeEscape(end: number): void {
    const unit = Number.parseInt(this.#escape.slice(2), 16)
    this.#escape = ''
    if (isLowSurrogate(unit)) {
      if (this.#highSurrogate === undefined) this.#failSurrogate(end - 6)
      this.#highSurrogate = undefined
    } else {
      this.#failLoneSurrogate()
      if (isHighSurrogate(unit)) this.#highSurrogate = end - 6
    }
    this.#add(String.fromCharCode(unit))
  }

  #failLoneSurrogate(): void {
    if (this.#highSurrogate !== undefined) this.#failSurrogate(this.#highSurrogate)
  }

  #failSurrogate(at: number): never {
    this.#tokenStart = at
    return this.#fail('ERR_INVALID_STRING', 'an escape is half of a surrogate pair')
  }

  #failEscape(end: number): never {
    return this.#failInString(end - this.#escape.length, `${shown(this.#escape)} is not an escape`)
  }

  #failInString(at: number, message: string): never {
    this.#tokenStart = at
    return this.#fail('ERR_JSON_SYNTAX', message)
  }

  // Each UTF-16 unit has at least one byte, so a text of so many units is over the limit already.
  #limitOpenText(): void {
    if (this.#beginning.length + this.#text.length > maxStringBytes) this.#failTooLarge()
  }

  #failTooLarge(): never {
    const what = this.#open === 'word' ? 'a number' : 'a string'
    return this.#fail('ERR_STRING_TOO_LARGE', `${what} has more than ${maxStringBytes} bytes`)
  }

  #failWord(word: string): never {
    if (word.startsWith('\ufeff')) {
      return this.#fail('ERR_JSON_SYNTAX', 'the input begins with a byte order mark')
    }
    return this.#fail('ERR_JSON_SYNTAX', `${shown(word)} is not a value`)
  }

  #failUnexpected(found: string): never {
    return this.#fail('ERR_JSON_SYNTAX', `expected ${wanted[this.#expect]} but found ${found}`)
  }

  /** For bytes that follow what was read. */
  #failEncoding(): never {
    this.#tokenStart = 0
    return this.#fail('ERR_INVALID_STRING', 'the input is not UTF-8')
  }

  #fail(code: TreeErrorCode, message: string): never {
    const { line, column } = this
    throw new TreeError(code, `Cannot parse JSON at ${line}:${column}: ${message}`, {
      line,
      column,
    })
  }
}

/** Whether a unit can't end a number or a word. */
function isWordUnit(unit: number): boolean {
  return (
    unit > space &&
    unit !== comma &&
    unit !== closeBrace &&
    unit !== closeBracket &&
    unit !== colon &&
    unit !== quotationMark &&
    unit !== openBrace &&
    unit !== openBracket
  )
}

function shown(text: string): string {
  return JSON.stringify(text.length > 20 ? `${text.slice(0, 20)}…` : text)
}
