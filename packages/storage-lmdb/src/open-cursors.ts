import { TreeError } from '@elkyn/tree'

/**
 * Iterators over LMDB that were begun and not left yet. lmdb crashes when one goes on after its
 * transaction was given up or its environment closed, and whoever stops half-way may never say so.
 */
export class OpenCursors {
  readonly #open = new Set<TrackedIterator<unknown>>()

  /** The same iterator, closed by {@link closeAll} at the latest. */
  track<T>(iterator: Iterator<T>): Iterator<T> {
    const tracked = new TrackedIterator(iterator, this.#open)
    this.#open.add(tracked)
    return tracked
  }

  /** Closes those that are left. Going on with one throws `ERR_STORE_CLOSED`. */
  closeAll(): void {
    for (const iterator of this.#open) iterator.close()
  }
}

class TrackedIterator<T> implements Iterator<T> {
  readonly #iterator: Iterator<T>
  readonly #open: Set<TrackedIterator<unknown>>
  #isClosed = false

  constructor(iterator: Iterator<T>, open: Set<TrackedIterator<unknown>>) {
    this.#iterator = iterator
    this.#open = open
  }

  next(): IteratorResult<T> {
    if (this.#isClosed) {
      throw new TreeError('ERR_STORE_CLOSED', 'Cannot read: the snapshot is closed')
    }
    const step = this.#iterator.next()
    if (step.done === true) this.#open.delete(this)
    return step
  }

  return(): IteratorResult<T> {
    if (this.#open.delete(this)) this.#iterator.return?.()
    return { done: true, value: undefined }
  }

  close(): void {
    this.return()
    this.#isClosed = true
  }
}
