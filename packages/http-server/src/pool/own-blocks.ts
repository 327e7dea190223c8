/** Blocks whose bytes hold only until the next one is asked for, as copies that stay. */
export class OwnBlocks implements AsyncIterableIterator<Uint8Array> {
  readonly #lent: AsyncIterator<Uint8Array>

  constructor(lent: AsyncIterable<Uint8Array>) {
    this.#lent = lent[Symbol.asyncIterator]()
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    const next = await this.#lent.next()
    return next.done === true ? next : { done: false, value: next.value.slice() }
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    await this.#lent.return?.()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
