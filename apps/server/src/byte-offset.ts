import type { TextPlace } from '@elkyn/tree'

const lineFeed = 0x0a

/**
 * Number of bytes before a place in UTF-8 text, where columns count UTF-16 units.
 * `undefined` when the text ends before it.
 */
export async function byteOffset(
  blocks: AsyncIterable<Uint8Array>,
  { line, column }: TextPlace,
): Promise<number | undefined> {
  let linesLeft = line - 1
  let unitsLeft = column - 1
  let offset = 0
  for await (const block of blocks) {
    let at = 0
    while (linesLeft > 0) {
      const end = block.indexOf(lineFeed, at)
      if (end === -1) break
      at = end + 1
      linesLeft--
    }
    if (linesLeft === 0) {
      for (; at < block.length; at++) {
        const units = unitsOf(block[at] as number)
        if (unitsLeft === 0 && units > 0) return offset + at
        unitsLeft -= units
      }
    }
    offset += block.length
  }
  return linesLeft === 0 && unitsLeft === 0 ? offset : undefined
}

/** UTF-16 units of the character that a byte begins; 0 for a byte inside a character. */
function unitsOf(byte: number): number {
  if (byte >= 0x80 && byte < 0xc0) return 0
  return byte >= 0xf0 ? 2 : 1
}
