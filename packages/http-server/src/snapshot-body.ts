/**
 * Blocks that are read from a snapshot while they are taken. The snapshot is closed at their end,
 * when reading fails, and when they are given up, even before the first one.
 */
export class SnapshotBody implements IterableIterator<Uint8Array> {
  readonly #blocks: Iterator<Uint8Array>
  #close: (() => void) | undefined

  /** Calls `close` once. */
  constructor(blocks: Iterable<Uint8Array>, close: () => void) {
    this.#blocks = blocks[Symbol.iterator]()
    this.#close = close
  }

  /** @param used A block that may be filled again. */
  next(used?: Uint8Array): IteratorResult<Uint8Array> {
    let isOpen = false
    try {
      const result = this.#blocks.next(used)
      isOpen = result.done !== true
      return result
    } finally {
      if (!isOpen) this.#end()
    }
  }

  return(): IteratorResult<Uint8Array> {
    try {
      this.#blocks.return?.()
    } finally {
      this.#end()
    }
    return { done: true, value: undefined }
  }

  #end(): void {
    const close = this.#close
    this.#close = undefined
    close?.()
  }

  [Symbol.iterator](): this {
    return this
  }
}
