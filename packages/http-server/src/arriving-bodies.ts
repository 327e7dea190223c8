/** A body of which the end has not come. */
export interface ArrivingBody {
  /** Nothing more of it is taken. */
  giveWay(): void
}

/**
 * What has come of small bodies that wait in memory for their ends. Each client may send as slowly as a request may take, so
 * when there is too much of it, the body gives way that began first: all others were faster, or have had less time.
 */
export class ArrivingBodies {
  readonly #maxBytes: number
  readonly #bytesOf = new Map<ArrivingBody, number>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** So much more has come of one. */
  add(body: ArrivingBody, bytes: number): void {
    this.#bytesOf.set(body, (this.#bytesOf.get(body) ?? 0) + bytes)
    this.#bytes += bytes
    while (this.#bytes > this.#maxBytes) {
      const [first] = this.#bytesOf.keys()
      this.remove(first!)
      first!.giveWay()
    }
  }

  /** It has come to its end, or is not held any more. */
  remove(body: ArrivingBody): void {
    this.#bytes -= this.#bytesOf.get(body) ?? 0
    this.#bytesOf.delete(body)
  }
}
