/** The id of a change: where it is in which history, and random bits that tell that from another one with its number. */
export function changeId(epoch: string, sequence: number, mark: number): string {
  return `${epoch}-${sequence}-${hexOf(mark)}`
}

/** The number in an id; `NaN` where there is none. */
export function sequenceIn(id: string): number {
  return Number(id.split('-')[1])
}

const hexBytes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** The bits of a mark in hexadecimal, without zeros in front. `toString(16)` takes most of the time of an id. */
function hexOf(mark: number): string {
  const bits = mark >>> 0
  if (bits < 0x1000_0000) return bits.toString(16)
  const [a, b] = [hexBytes[bits >>> 24]!, hexBytes[(bits >>> 16) & 255]!]
  return a + b + hexBytes[(bits >>> 8) & 255]! + hexBytes[bits & 255]!
}

const dash = '-'.charCodeAt(0)
const zero = '0'.charCodeAt(0)
const hexDigits = Buffer.from('0123456789abcdef')

/**
 * Writes what {@link changeId} gives, whose text takes longer than all else that is sent of a change.
 *
 * @param epoch In ASCII.
 * @returns where it ends.
 */
export function writeChangeId(
  epoch: Uint8Array,
  sequence: number,
  mark: number,
  target: Uint8Array,
  start: number,
): number {
  let at = start
  // To begin `set()` takes longer than so few bytes.
  for (let index = 0; index < epoch.length; index++) target[at++] = epoch[index]!
  target[at++] = dash
  at = writeDecimal(sequence, target, at)
  target[at++] = dash
  return writeHex(mark, target, at)
}

function writeDecimal(number: number, target: Uint8Array, start: number): number {
  let end = start + 1
  for (let least = 10; least <= number; least *= 10) end++
  let left = number
  for (let at = end - 1; at >= start; at--) {
    // Whole numbers are divided faster where they have 31 bits.
    const rest = left > 0x7fff_ffff ? Math.floor(left / 10) : (left / 10) | 0
    target[at] = zero + left - rest * 10
    left = rest
  }
  return end
}

/** Without zeros in front. */
function writeHex(bits: number, target: Uint8Array, start: number): number {
  let at = start
  for (let shift = bits === 0 ? 0 : 28 - (Math.clz32(bits) & 28); shift >= 0; shift -= 4) {
    target[at++] = hexDigits[(bits >>> shift) & 15]!
  }
  return at
}
