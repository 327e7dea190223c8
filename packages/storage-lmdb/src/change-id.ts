import { FixedBytes } from './fixed-bytes.ts'

/** The id of a change: where it is in which history, and random bits that tell that from another one with its number. */
export function changeId(epoch: string, sequence: number, mark: number): string {
  return `${epoch}-${sequence}-${hexOf(mark)}`
}

/** The number in an id; `NaN` where there is none. */
export function sequenceIn(id: string): number {
  return Number(id.split('-')[1])
}

const dash = '-'.charCodeAt(0)
const zero = '0'.charCodeAt(0)
/** A number of 2 ** 53, a dash and a mark. */
const maxNumbersBytes = 16 + 1 + 8

const hexBytes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** The bits of a mark in hexadecimal, without zeros in front. `toString(16)` takes most of the time of an id. */
function hexOf(mark: number): string {
  const bits = mark >>> 0
  if (bits < 0x1000_0000) return bits.toString(16)
  const [a, b] = [hexBytes[bits >>> 24]!, hexBytes[(bits >>> 16) & 255]!]
  return a + b + hexBytes[(bits >>> 8) & 255]! + hexBytes[bits & 255]!
}

/** Two digits each, as they are written in two bytes, the first one in front. */
const decimals = Uint16Array.from({ length: 100 }, (_, number) => {
  const tens = Math.floor(number / 10)
  return ((zero + tens) << 8) | (zero + number - tens * 10)
})
const hexadecimals = Uint16Array.from(hexBytes, (digits) => Buffer.from(digits).readUInt16BE())

/**
 * Writes what {@link changeId} gives for one change after the other, whose texts take longer than all else that is
 * sent of them. What is the same for a hundred of them is written at once.
 */
export class ChangeIdWriter {
  readonly #before: Uint8Array
  readonly #epoch: string
  /** The number of the last id without its last two digits, and what stands in front of these. */
  #hundreds = -1
  #head: FixedBytes = new FixedBytes(new Uint8Array())

  /** @param before Is written before each. */
  constructor(before: Uint8Array, epoch: string) {
    this.#before = before
    this.#epoch = epoch
  }

  /** Room for one, in bytes. */
  get maxBytes(): number {
    return this.#before.length + this.#epoch.length + maxNumbersBytes
  }

  /** @returns where it ends. */
  write(sequence: number, mark: number, view: DataView, start: number): number {
    const hundreds = Math.floor(sequence / 100)
    if (hundreds !== this.#hundreds) this.#begin(hundreds)
    const rest = sequence - hundreds * 100
    let at = this.#head.put(view, start)
    if (sequence < 10) {
      view.setUint8(at++, zero + rest)
    } else {
      view.setUint16(at, decimals[rest]!)
      at += 2
    }
    view.setUint8(at++, dash)
    return putHex(mark, view, at)
  }

  #begin(hundreds: number): void {
    const digits = hundreds === 0 ? '' : String(hundreds)
    this.#head = new FixedBytes(
      Buffer.concat([this.#before, Buffer.from(`${this.#epoch}-${digits}`)]),
    )
    this.#hundreds = hundreds
  }
}

/** Without zeros in front. @returns where it ends. */
function putHex(mark: number, view: DataView, start: number): number {
  if (mark >>> 28 === 0) return putShortHex(mark, view, start)
  view.setUint16(start, hexadecimals[mark >>> 24]!)
  view.setUint16(start + 2, hexadecimals[(mark >>> 16) & 255]!)
  view.setUint16(start + 4, hexadecimals[(mark >>> 8) & 255]!)
  view.setUint16(start + 6, hexadecimals[mark & 255]!)
  return start + 8
}

function putShortHex(mark: number, view: DataView, start: number): number {
  let at = start
  const highest = mark === 0 ? 0 : 28 - (Math.clz32(mark) & 28)
  for (let shift = highest; shift >= 0; shift -= 4) {
    view.setUint8(at++, hexadecimals[(mark >>> shift) & 15]! & 255)
  }
  return at
}
