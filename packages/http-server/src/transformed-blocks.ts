// Not a generator: one that never began doesn't pass on that it was ended.
/** Blocks that are made of others. When they are given up, those others are ended too. */
export class TransformedBlocks implements IterableIterator<Uint8Array> {
  readonly #source: Iterator<Uint8Array>
  readonly #blocks: Iterator<Uint8Array>

  constructor(
    source: Iterable<Uint8Array>,
    transform: (source: Iterable<Uint8Array>) => Iterable<Uint8Array>,
  ) {
    const iterator = source[Symbol.iterator]()
    this.#source = iterator
    this.#blocks = transform({ [Symbol.iterator]: () => iterator })[Symbol.iterator]()
  }

  next(): IteratorResult<Uint8Array> {
    return this.#blocks.next()
  }

  return(): IteratorResult<Uint8Array> {
    this.#blocks.return?.()
    this.#source.return?.()
    return { done: true, value: undefined }
  }

  [Symbol.iterator](): this {
    return this
  }
}
