import {
  backslash,
  closeBrace,
  closeBracket,
  colon,
  comma,
  lineFeed,
  openBrace,
  openBracket,
  quotationMark,
  space,
} from './json-units.ts'

const blockSize = 64 * 1024

const pause = new Uint8Array()

/**
 * Lays valid JSON out for people: members and items on lines of their own, two spaces a level,
 * ` : ` after names, and a line feed at the end. Takes and gives UTF-8 in blocks cut anywhere, and
 * holds one block. Gives an empty one for each empty one, so that something else can be done there.
 */
export function* prettyPrint(
  blocks: Iterable<Uint8Array>,
): Generator<Uint8Array<ArrayBuffer>, void, undefined> {
  const printer = new Printer()
  for (const block of blocks) {
    if (block.length === 0) yield pause
    for (let at = 0; at < block.length;) {
      at = printer.print(block, at)
      if (printer.isFull) yield printer.take()
    }
  }
  printer.end()
  yield printer.take()
}

class Printer {
  #output = new Uint8Array(blockSize)
  #length = 0
  #depth = 0
  /** Whether a container was opened and nothing was printed in it: it may end on the same line. */
  #isOpened = false
  #isInString = false
  #isEscaped = false

  /** Whether one more token, with the line that it begins, might not fit. */
  get isFull(): boolean {
    return this.#length + 2 * this.#depth + 8 > this.#output.length
  }

  /** The bytes printed since the last call. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = this.#output.subarray(0, this.#length)
    // A deep text needs more room for one line; other than that all blocks have one size.
    this.#output = new Uint8Array(Math.max(blockSize, 4 * this.#depth + 16))
    this.#length = 0
    return bytes
  }

  /** Prints from `at` on until the block ends or the output is full. Returns where it stopped. */
  print(block: Uint8Array, from: number): number {
    let at = from
    while (at < block.length && !this.isFull) {
      const byte = block[at] as number
      if (this.#isInString) this.#stringByte(byte)
      else this.#byte(byte)
      at++
    }
    return at
  }

  end(): void {
    this.#put(lineFeed)
  }

  #stringByte(byte: number): void {
    this.#put(byte)
    if (this.#isEscaped) this.#isEscaped = false
    else if (byte === backslash) this.#isEscaped = true
    else if (byte === quotationMark) this.#isInString = false
  }

  #byte(byte: number): void {
    if (byte <= space) return
    if (byte === closeBrace || byte === closeBracket) return this.#close(byte)
    if (this.#isOpened) this.#startLine()
    this.#isOpened = false
    if (byte === colon) {
      this.#put(space)
      this.#put(colon)
      this.#put(space)
      return
    }
    this.#put(byte)
    if (byte === comma) this.#startLine()
    else if (byte === quotationMark) this.#isInString = true
    else if (byte === openBrace || byte === openBracket) {
      this.#depth++
      this.#isOpened = true
    }
  }

  #close(byte: number): void {
    this.#depth--
    if (!this.#isOpened) this.#startLine()
    this.#isOpened = false
    this.#put(byte)
  }

  #startLine(): void {
    this.#put(lineFeed)
    const end = this.#length + 2 * this.#depth
    this.#output.fill(space, this.#length, end)
    this.#length = end
  }

  #put(byte: number): void {
    this.#output[this.#length++] = byte
  }
}
