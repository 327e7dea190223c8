// How a value travels through shared memory, so that what comes out is what a structured clone would give.
import { markAsUntransferable } from 'node:worker_threads'
import { parseTagged, taggedJson } from './json-text.ts'

/** The first byte of an item and of a completion: what its payload is. */
export const ValueKind = {
  Undefined: 0,
  /** A Uint8Array, as it is. */
  Bytes: 1,
  /** A string of characters up to U+00FF, a byte each. */
  Latin1: 2,
  /** Any other string, two bytes a unit: lone surrogates survive. */
  Utf16: 3,
  /** JSON text as Latin1. */
  Json: 4,
  /** JSON text as Utf16. */
  JsonUtf16: 5,
  /** The same with tags, for dates, maps and other values that JSON has not. */
  Tagged: 6,
  TaggedUtf16: 7,
  /** Not here: it comes on the port, by structured clone. */
  Port: 8,
} as const
export type ValueKind = (typeof ValueKind)[keyof typeof ValueKind]

// oxlint-disable-next-line no-control-regex -- all of Latin1 is meant
const beyondLatin1 = /[^\u0000-\u00ff]/

/** A value ready to be written. One object serves all values of a thread, one after another. */
export class ValueWriter {
  kind: ValueKind = ValueKind.Undefined
  byteLength = 0
  #text = ''
  #bytes: Uint8Array = new Uint8Array()

  /**
   * Decides how a value travels; then `kind`, `byteLength` and `write` are its own.
   * @param isAlone whether nothing else is under way: then a message costs less than to look through an object
   */
  prepare(value: unknown, isAlone = false): void {
    if (typeof value === 'string') return this.#prepareText(value, ValueKind.Latin1)
    if (value === undefined) return this.#set(ValueKind.Undefined, 0)
    if (value instanceof Uint8Array && isPrivateBytes(value)) {
      this.#bytes = value
      return this.#set(ValueKind.Bytes, value.byteLength)
    }
    const isMessage = isAlone && typeof value === 'object' && value !== null
    const json = isMessage ? undefined : taggedJson(value)
    if (json === undefined) return this.#set(ValueKind.Port, 0)
    return this.#prepareText(json.text, json.isTagged ? ValueKind.Tagged : ValueKind.Json)
  }

  /** Writes `byteLength` bytes. */
  write(target: Buffer, offset: number): void {
    switch (this.kind) {
      case ValueKind.Latin1:
      case ValueKind.Json:
      case ValueKind.Tagged:
        target.write(this.#text, offset, this.byteLength, 'latin1')
        break
      case ValueKind.Utf16:
      case ValueKind.JsonUtf16:
      case ValueKind.TaggedUtf16:
        target.write(this.#text, offset, this.byteLength, 'utf16le')
        break
      case ValueKind.Bytes:
        target.set(this.#bytes, offset)
        break
      case ValueKind.Undefined:
      case ValueKind.Port:
        break
      default:
        this.kind satisfies never
    }
    this.clear()
  }

  /** Lets go of the value. */
  clear(): void {
    this.#text = ''
    this.#bytes = noBytes
  }

  #prepareText(text: string, kind: ValueKind): void {
    this.#text = text
    // Each kind of text is followed by its wide form.
    if (beyondLatin1.test(text)) return this.#set((kind + 1) as ValueKind, text.length * 2)
    return this.#set(kind, text.length)
  }

  #set(kind: ValueKind, byteLength: number): void {
    this.kind = kind
    this.byteLength = byteLength
  }
}

const noBytes = new Uint8Array()

// A view of shared memory is shared, not copied. Subclasses lose their class in a clone: Buffer does, too.
function isPrivateBytes(bytes: Uint8Array): boolean {
  return !(bytes.buffer instanceof SharedArrayBuffer)
}

/** Reads a value from memory that is somebody else's afterwards. */
export function readValue(kind: number, source: Buffer, start: number, end: number): unknown {
  switch (kind as ValueKind) {
    case ValueKind.Undefined:
      return undefined
    case ValueKind.Bytes:
      return copyBytes(source, start, end)
    case ValueKind.Latin1:
      return source.toString('latin1', start, end)
    case ValueKind.Utf16:
      return source.toString('utf16le', start, end)
    case ValueKind.Json:
      return JSON.parse(source.toString('latin1', start, end))
    case ValueKind.JsonUtf16:
      return JSON.parse(source.toString('utf16le', start, end))
    case ValueKind.Tagged:
      return parseTagged(source.toString('latin1', start, end))
    case ValueKind.TaggedUtf16:
      return parseTagged(source.toString('utf16le', start, end))
    case ValueKind.Port:
      throw new Error('Cannot read a value that is on the port')
    default:
      throw new Error(`Cannot read a value of kind ${kind}`)
  }
}

// Small byte results are cut from slabs, as Buffer does it: an ArrayBuffer for each costs half a microsecond. A slab
// can't be transferred, because that would take the others' bytes along.
const slabBytes = 64 * 1024
const largestInSlab = 4096
/** So many are copied one by one in the time that a view takes. */
const fewBytes = 128
let slab = new ArrayBuffer(0)
let slabOffset = 0

function copyBytes(source: Buffer, start: number, end: number): Uint8Array {
  const length = end - start
  const copy = length > largestInSlab ? new Uint8Array(length) : cutFromSlab(length)
  // A view of the part, for set(), would be as much garbage as the copy itself.
  if (length > fewBytes) copy.set(source.subarray(start, end))
  else for (let index = 0; index < length; index++) copy[index] = source[start + index] ?? 0
  return copy
}

function cutFromSlab(length: number): Uint8Array {
  if (slabOffset + length > slab.byteLength) {
    slab = new ArrayBuffer(slabBytes)
    markAsUntransferable(slab)
    slabOffset = 0
  }
  const view = new Uint8Array(slab, slabOffset, length)
  slabOffset += (length + 7) & ~7
  return view
}
