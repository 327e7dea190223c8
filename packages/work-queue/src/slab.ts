import { Buffer } from 'node:buffer'

/** Bytes of a slab: small enough to be had at once, large enough for hundreds of small items. */
export const SLAB_BYTES: number = 64 * 1024

/**
 * Private memory that taken items are copied into, piece after piece. Making a buffer for each item would cost
 * more than all the rest of taking it. A piece is used once; the slab is freed with the last item in it.
 */
export class Slab {
  words: Int32Array<ArrayBuffer>
  bytes: Uint8Array<ArrayBuffer>
  /** Where the free part begins, in bytes; a multiple of 8. */
  used = 0

  constructor() {
    this.bytes = allocate(SLAB_BYTES)
    this.words = new Int32Array(this.bytes.buffer)
  }

  /** Sees to it that so many bytes are free. Call it before owning anything: it allocates. */
  ensure(byteLength: number): void {
    if (this.used + byteLength <= this.bytes.byteLength) return
    this.bytes = allocate(Math.max(SLAB_BYTES, byteLength))
    this.words = new Int32Array(this.bytes.buffer)
    this.used = 0
  }

  /** Takes a piece that `ensure` has seen to. @returns where it starts, in bytes */
  take(byteLength: number): number {
    const at = this.used
    this.used = (at + byteLength + 7) & ~7
    return at
  }
}

/** Not zeroed: every byte that anybody is shown is written before. */
function allocate(byteLength: number): Uint8Array<ArrayBuffer> {
  const { buffer } = Buffer.allocUnsafeSlow(byteLength)
  return new Uint8Array(buffer)
}
