import { constants, crc32, deflateRawSync } from 'node:zlib'

/** About the time of the `br` that smaller answers get, and near the least bytes. */
export const gzipLevel = 6

// How far back a reference of deflate can reach.
const windowBytes = 32 * 1024

/**
 * Compresses blocks while they are taken, one by one, into one member of
 * https://www.rfc-editor.org/rfc/rfc1952. Needs no stream, and so no other thread and no turn of the
 * event loop: each block is compressed by itself, with the end of the one before as a dictionary, and
 * flushed to a whole byte. That those pieces in a row are one stream of deflate is what pigz relies on.
 */
export function* gzipBlocks(blocks: Iterable<Uint8Array>): Generator<Uint8Array> {
  let before: Uint8Array = header
  let dictionary: Uint8Array | undefined
  let checksum = 0
  let length = 0
  for (const block of blocks) {
    if (block.length === 0) {
      // A pause, for whoever takes them.
      yield nothing
      continue
    }
    checksum = crc32(block, checksum)
    length += block.length
    const piece = deflateRawSync(block, {
      level: gzipLevel,
      finishFlush: constants.Z_SYNC_FLUSH,
      ...(dictionary && { dictionary }),
    })
    yield before.length === 0 ? piece : Buffer.concat([before, piece])
    before = nothing
    // A copy: whoever took the block may do with it what he likes.
    dictionary = Uint8Array.prototype.slice.call(block, -windowBytes)
  }
  yield Buffer.concat([before, lastBlock, uint32(checksum), uint32(length % 2 ** 32)])
}

// Magic number, deflate, no flags, no time, no hint, unknown system.
const header = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff)

// Deflate's end of a stream: a last block, of fixed codes, with nothing in it.
const lastBlock = Uint8Array.of(0x03, 0x00)

const nothing = new Uint8Array()

function uint32(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32LE(value)
  return bytes
}
