/** An iterable over what a function begins anew each time; stops it when its reader stops early. */
export function* iterableOf<T>(begin: () => Iterator<T>): Generator<T, void, void> {
  const iterator = begin()
  try {
    for (let step = iterator.next(); step.done !== true; step = iterator.next()) yield step.value
  } finally {
    iterator.return?.()
  }
}

/**
 * The members of lists, one after the other. A generator that delegates to each list takes several times as long: it is
 * resumed for every member.
 */
export class Flattened<T> implements IterableIterator<T, undefined, undefined> {
  readonly #lists: Iterator<readonly T[], void, void>
  #list: readonly T[] = []
  #index = 0

  constructor(lists: Iterator<readonly T[], void, void>) {
    this.#lists = lists
  }

  next(): IteratorResult<T, undefined> {
    while (this.#index === this.#list.length) {
      const next = this.#lists.next()
      if (next.done === true) return { done: true, value: undefined }
      this.#list = next.value
      this.#index = 0
    }
    return { done: false, value: this.#list[this.#index++]! }
  }

  return(): IteratorResult<T, undefined> {
    this.#list = []
    this.#index = 0
    this.#lists.return?.()
    return { done: true, value: undefined }
  }

  [Symbol.iterator](): this {
    return this
  }
}
