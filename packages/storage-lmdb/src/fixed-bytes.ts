/** Bytes that are written again and again. */
export class FixedBytes {
  readonly #bytes: Uint8Array
  readonly #length: number
  /** Four bytes each; the last one ends where they end, over a part of the one before. */
  readonly #words: Int32Array
  readonly #last: number

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#length = bytes.length
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const last = bytes.length - 4
    this.#last = last < 0 ? 0 : view.getInt32(last)
    const count = last < 0 ? 0 : Math.ceil(last / 4)
    this.#words = Int32Array.from({ length: count }, (_, index) => view.getInt32(index * 4))
  }

  /** @returns where they end. */
  put(view: DataView, at: number): number {
    const length = this.#length
    if (length < 4) {
      for (let index = 0; index < length; index++) view.setUint8(at + index, this.#bytes[index]!)
      return at + length
    }
    const words = this.#words
    for (let index = 0; index < words.length; index++) view.setInt32(at + index * 4, words[index]!)
    view.setInt32(at + length - 4, this.#last)
    return at + length
  }
}
