// Not a generator: one that never began doesn't pass on that it was ended.
/** Blocks of which some were taken to look at them, from the first one on again. */
export class ResumedBlocks implements IterableIterator<Uint8Array> {
  readonly #taken: Uint8Array[]
  readonly #rest: Iterator<Uint8Array>

  constructor(taken: Uint8Array[], rest: Iterator<Uint8Array>) {
    this.#taken = taken
    this.#rest = rest
  }

  /** @param used A block that may be filled again. */
  next(used?: Uint8Array): IteratorResult<Uint8Array> {
    const value = this.#taken.shift()
    return value === undefined ? this.#rest.next(used) : { done: false, value }
  }

  return(): IteratorResult<Uint8Array> {
    this.#taken.length = 0
    this.#rest.return?.()
    return { done: true, value: undefined }
  }

  [Symbol.iterator](): this {
    return this
  }
}
