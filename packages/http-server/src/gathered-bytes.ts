/** So many pieces stay apart at most: each takes some hundred bytes besides its own. */
const maxPieces = 32

/** Bytes that come in pieces, in little more memory than they need however small those are. */
export class GatheredBytes {
  #pieces: Uint8Array[] = []
  length = 0

  add(piece: Uint8Array): void {
    this.#pieces.push(piece)
    this.length += piece.length
    if (this.#pieces.length > maxPieces) this.#pieces = [Buffer.concat(this.#pieces)]
  }

  /** Takes all of them out, in one piece; it is no copy where there is one. */
  take(): Uint8Array {
    const pieces = this.#pieces
    this.#pieces = []
    this.length = 0
    return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces)
  }
}
