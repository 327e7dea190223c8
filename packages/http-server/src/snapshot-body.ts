import type { TreeSnapshot } from '@elkyn/tree'

/**
 * Blocks that are read from a snapshot while they are taken. The snapshot is closed at their end,
 * when reading fails, and when they are given up, even before the first one.
 */
export class SnapshotBody implements IterableIterator<Uint8Array> {
  readonly #blocks: Iterator<Uint8Array>
  readonly #snapshot: TreeSnapshot

  constructor(blocks: Iterable<Uint8Array>, snapshot: TreeSnapshot) {
    this.#blocks = blocks[Symbol.iterator]()
    this.#snapshot = snapshot
  }

  next(): IteratorResult<Uint8Array> {
    let isOpen = false
    try {
      const result = this.#blocks.next()
      isOpen = result.done !== true
      return result
    } finally {
      if (!isOpen) this.#snapshot.close()
    }
  }

  return(): IteratorResult<Uint8Array> {
    try {
      this.#blocks.return?.()
    } finally {
      this.#snapshot.close()
    }
    return { done: true, value: undefined }
  }

  [Symbol.iterator](): this {
    return this
  }
}
