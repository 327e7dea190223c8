import { isJson } from './is-json.ts'

const quotationMark = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d
const space = 0x20

/** The longest number that somebody writes has fewer characters. */
const maxScalarLength = 1000

/**
 * Passes JSON text on, and fails at its end where that is not the end of a value. Between a server and here a proxy may have
 * taken an answer that broke off for a whole one. What stands between the first character and the last one is not looked
 * at closer: it comes from a server, and to parse it would take many times as long.
 *
 * @param cutOff Makes the error. Its argument says whether the text began as JSON does.
 */
export async function* wholeJson(
  blocks: AsyncIterable<Uint8Array>,
  cutOff: (beganAsJson: boolean) => Error,
): AsyncGenerator<Uint8Array> {
  const scan = new JsonScan()
  for await (const block of blocks) {
    scan.add(block)
    if (scan.isOther) throw cutOff(false)
    yield block
  }
  if (!scan.isComplete) throw cutOff(true)
}

/** Looks for the end of a value. */
class JsonScan {
  #depth = 0
  #isInString = false
  #isEscaped = false
  /** What began the value. */
  #first: number | undefined
  /** A value that is no object, list or string. */
  #scalar = ''

  /** Whether the text cannot be JSON. */
  get isOther(): boolean {
    if (this.#first === undefined || this.#isNested) return false
    return !scalarStarts.has(this.#first) || this.#scalar.length > maxScalarLength
  }

  /** Whether the value may have ended here. Of a number by itself that is not to be seen. */
  get isComplete(): boolean {
    if (this.#first === undefined) return false
    if (this.#isNested) return this.#depth === 0 && !this.#isInString
    return isJson(this.#scalar)
  }

  get #isNested(): boolean {
    return this.#first === openBrace || this.#first === openBracket || this.#first === quotationMark
  }

  add(block: Uint8Array): void {
    const start = this.#first === undefined ? block.findIndex((byte) => byte > space) : 0
    if (start === -1) return
    this.#first ??= block[start]
    if (this.#isNested) this.#scan(block)
    else this.#scalar += Buffer.from(block).toString('latin1')
  }

  #scan(block: Uint8Array): void {
    let depth = this.#depth
    let isInString = this.#isInString
    let isEscaped = this.#isEscaped
    for (let index = 0; index < block.length; index++) {
      const byte = block[index]
      if (isInString) {
        if (isEscaped) isEscaped = false
        else if (byte === backslash) isEscaped = true
        else if (byte === quotationMark) isInString = false
      } else if (byte === quotationMark) isInString = true
      else if (byte === openBrace || byte === openBracket) depth++
      else if (byte === closeBrace || byte === closeBracket) depth--
    }
    this.#depth = depth
    this.#isInString = isInString
    this.#isEscaped = isEscaped
  }
}

const scalarStarts: ReadonlySet<number> = new Set(Buffer.from('-0123456789tfn'))
