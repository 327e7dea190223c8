/** So many pieces stay apart at most: each takes some hundred bytes besides its own. */
const maxPieces = 32

/** Bytes that come in pieces, in little more memory than they need however small those are. */
export class GatheredBytes {
  readonly #onCopied: (piece: Uint8Array) => void
  #pieces: Uint8Array[] = []
  length = 0

  /** @param onCopied is given each piece that was copied into another one, and is not looked at any more */
  constructor(onCopied: (piece: Uint8Array) => void = () => {}) {
    this.#onCopied = onCopied
  }

  add(piece: Uint8Array): void {
    this.#pieces.push(piece)
    this.length += piece.length
    if (this.#pieces.length > maxPieces) this.#pieces = [this.#join()]
  }

  /** Takes all of them out, in one piece; it is no copy where there is one. */
  take(): Uint8Array {
    const [first] = this.#pieces
    const all = first !== undefined && this.#pieces.length === 1 ? first : this.#join()
    this.#pieces = []
    this.length = 0
    return all
  }

  #join(): Uint8Array {
    const all = Buffer.concat(this.#pieces)
    for (const piece of this.#pieces) this.#onCopied(piece)
    return all
  }
}
