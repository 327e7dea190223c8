import type { ReadOptions } from './lmdb-types.ts'

/** The same iterator, which tells of each item. */
export function counted<T>(iterator: Iterator<T>, tell: () => void): Iterator<T> {
  return {
    next() {
      const step = iterator.next()
      if (step.done !== true) tell()
      return step
    },
    return() {
      return iterator.return?.() ?? { done: true, value: undefined }
    },
  }
}

/** The same iterator, which its transaction outlives. */
export function tracked<T>(iterator: Iterator<T>, options: ReadOptions | undefined): Iterator<T> {
  // Inside a write transaction they end before it does.
  return options === undefined ? iterator : options.cursors.track(iterator)
}
