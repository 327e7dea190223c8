import { TreeValue } from '@elkyn/tree'
import type { JsonForm } from '@elkyn/tree'
import { textAt, writeText } from './buffer-text.ts'
import { copyInto } from './copy-bytes.ts'
import { decodeHead, formOfKind, Kind } from './entry.ts'
import type { Head } from './entry.ts'
import { iterableOf } from './iterable.ts'
import { integerAt, isIntegerAt, isOddInteger, readName } from './key-encoding.ts'
import { HeadMark } from './lmdb.ts'
import type { Lmdb, RowCursor, RowVisitor } from './lmdb.ts'
import type { ReadOptions } from './lmdb-types.ts'

/** Size of the blocks that a large value is read in; only a longer row makes a longer block. */
const BLOCK_BYTES = 64 * 1024

const COMMA = 0x2c
const COLON = 0x3a
const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const NULL_COMMA = 'null,'

/** A head that is being written: everything before the cursor is done. */
interface Frame {
  readonly cursor: RowCursor
  readonly isArray: boolean
  /** Children written, or for an array also the gaps before them. */
  written: number
}

/** Blocks that are made while they are taken. Who has done with one may give it to `next()`, to be filled again. */
export type JsonBlocks = Generator<Uint8Array, void, Uint8Array | undefined>

/**
 * The JSON text of what lies under a head, in blocks, made by joining the texts of its rows. Reads
 * while it is taken; who stops early calls `return()`, as `for…of` does.
 */
export function* jsonBlocks(
  lmdb: Lmdb,
  head: Head,
  form: JsonForm,
  options: ReadOptions | undefined,
): JsonBlocks {
  const writer = new BlockWriter(lmdb, form, options)
  try {
    writer.open(head)
    let goesOn: boolean
    do {
      goesOn = writer.step()
      for (let block = writer.full(); block !== undefined; block = writer.full()) {
        // It may be any other one, of which nobody knows who looks at it.
        if ((yield block) === block) writer.reuse(block)
      }
    } while (goesOn)
    yield writer.rest()
  } finally {
    writer.close()
  }
}

/** Copies names and values straight from lmdb's memory into blocks of JSON. */
class BlockWriter implements RowVisitor<Head | undefined> {
  readonly #lmdb: Lmdb
  readonly #form: JsonForm
  readonly #options: ReadOptions | undefined
  readonly #frames: Frame[] = []
  readonly #full: Uint8Array[] = []
  /** Blocks to be filled again. */
  readonly #free: Uint8Array<ArrayBuffer>[] = []
  #block = new Uint8Array(BLOCK_BYTES)
  #end = 0

  constructor(lmdb: Lmdb, form: JsonForm, options: ReadOptions | undefined) {
    this.#lmdb = lmdb
    this.#form = form
    this.#options = options
  }

  /** Begins to write the node of a head. */
  open(head: Head): void {
    const isArray = this.#form === 'plain' && isArrayHead(this.#lmdb, head, this.#options)
    const cursor = this.#lmdb.scan(head.number, this.#options)
    const frame: Frame = { cursor, isArray, written: 0 }
    this.#frames.push(frame)
    this.#text(isArray ? '[' : '{')
    if (this.#form === 'export' && head.priority !== null) {
      this.#text(`".priority":${JSON.stringify(head.priority)}`)
      frame.written++
    }
  }

  /** Writes one more row. @returns false when there are no more. */
  step(): boolean {
    const frame = this.#frames.at(-1)
    if (frame === undefined) return false
    const step = frame.cursor.next(this)
    if (step === undefined) {
      this.#frames.pop()
      frame.cursor.close()
      this.#text(frame.isArray ? ']' : '}')
    } else if (step.result !== undefined) this.open(step.result)
    return true
  }

  /** The next block that has no more room. */
  full(): Uint8Array | undefined {
    return this.#full.shift()
  }

  /** Takes back a full block that nobody looks at any more. */
  reuse({ buffer }: Uint8Array): void {
    if (buffer.byteLength === BLOCK_BYTES) this.#free.push(new Uint8Array(buffer as ArrayBuffer))
  }

  /** What was written since the last full block. */
  rest(): Uint8Array {
    return this.#block.subarray(0, this.#end)
  }

  close(): void {
    for (const frame of this.#frames) frame.cursor.close()
  }

  name(bytes: Uint8Array, start: number, end: number): void {
    const frame = this.#frames.at(-1)!
    if (frame.isArray) {
      if (frame.written > 0) this.#byte(COMMA)
      for (const index = integerAt(bytes, start); frame.written < index; frame.written++) {
        this.#text(NULL_COMMA)
      }
      frame.written++
      return
    }
    // Every byte may need a backslash; quotes, colon and comma come around it.
    this.#reserve((end - start) * 2 + 4)
    if (frame.written++ > 0) this.#block[this.#end++] = COMMA
    this.#block[this.#end++] = QUOTE
    if (isIntegerAt(bytes, start)) this.#text(readName(bytes, start, end))
    else this.#escaped(bytes, start, end)
    this.#reserve(2)
    this.#block[this.#end++] = QUOTE
    this.#block[this.#end++] = COLON
  }

  value(bytes: Uint8Array, size: number): Head | undefined {
    const kind = bytes[0]!
    if (kind === Kind.head) return decodeHead(bytes, size)
    const length = size - 1
    if ((kind === Kind.export) === (this.#form === 'export')) {
      this.#copy(bytes, size)
    } else if (kind === Kind.plain) {
      // Text without priorities differs in export form only where there is an array in it.
      this.#copy(bytes, size)
      const copied = this.#block.subarray(this.#end - length, this.#end)
      if (copied.includes(OPEN_BRACKET)) {
        const text = textAt(copied, 0, length)
        this.#end -= length
        this.#text(TreeValue.fromCanonical(text, 'plain').toText('export'))
      }
    } else {
      const text = textAt(bytes, 1, size)
      this.#text(TreeValue.fromCanonical(text, formOfKind(kind)).toText('plain'))
    }
    return undefined
  }

  #copy(bytes: Uint8Array, size: number): void {
    this.#reserve(size - 1)
    copyInto(bytes, 1, size, this.#block, this.#end)
    this.#end += size - 1
  }

  #escaped(bytes: Uint8Array, start: number, end: number): void {
    const block = this.#block
    let at = this.#end
    for (let index = start; index < end; index++) {
      const byte = bytes[index]!
      // Names hold no control characters, so these two are all that JSON escapes.
      if (byte === QUOTE || byte === BACKSLASH) block[at++] = BACKSLASH
      block[at++] = byte
    }
    this.#end = at
  }

  #byte(byte: number): void {
    this.#reserve(1)
    this.#block[this.#end++] = byte
  }

  #text(text: string): void {
    this.#reserve(text.length * 3)
    this.#end = writeText(text, this.#block, this.#end)
  }

  /** Makes room for so many more bytes in one piece. */
  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#block.length) return
    if (this.#end > 0) this.#full.push(this.rest())
    const used = bytes > BLOCK_BYTES ? undefined : this.#free.pop()
    this.#block = used ?? new Uint8Array(Math.max(BLOCK_BYTES, bytes))
    this.#end = 0
  }
}

/**
 * Whether the node of a head is rendered as an array: all its keys are array indexes and the
 * largest is less than twice their number. Integers sort first, so that the last key and then the
 * first one tell most cases.
 */
function isArrayHead(lmdb: Lmdb, head: Head, options: ReadOptions | undefined): boolean {
  const last = firstOf(lmdb.names(head.number, { reverse: true, limit: 1 }, options))
  const first = firstOf(lmdb.names(head.number, { limit: 1 }, options))
  if (first === undefined || last === undefined) return false
  if (!isArrayIndex(last) || !isArrayIndex(first)) return false
  if (Number(last) >= 2 * lmdb.countNames(head.number, options)) return false
  return !lmdb.isMarked(head.number, HeadMark.odd, options) || !hasOddName(lmdb, head, options)
}

function isArrayIndex(name: string): boolean {
  const code = name.charCodeAt(0)
  return code >= 0x30 && code <= 0x39 && String(Number(name)) === name
}

function hasOddName(lmdb: Lmdb, head: Head, options: ReadOptions | undefined): boolean {
  for (const name of iterableOf(() => lmdb.names(head.number, {}, options))) {
    if (isOddInteger(name)) return true
  }
  return false
}

function firstOf(names: Iterator<string>): string | undefined {
  const step = names.next()
  names.return?.()
  return step.done === true ? undefined : step.value
}
