/** A heap of things to look at, by time. Removing is lazy: what comes out may no longer matter. */
export class Deadlines<T> {
  readonly #heap: { at: number; item: T }[] = []

  get size(): number {
    return this.#heap.length
  }

  add(at: number, item: T): void {
    const heap = this.#heap
    let index = heap.length
    heap.push({ at, item })
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (this.#at(parent) <= at) break
      this.#swap(index, parent)
      index = parent
    }
  }

  /** When the first is due, or Infinity. */
  get next(): number {
    return this.#heap[0]?.at ?? Infinity
  }

  /** Takes out one that is due. */
  due(now: number): T | undefined {
    const first = this.#heap[0]
    if (first === undefined || first.at > now) return undefined
    const last = this.#heap.pop()
    if (last !== undefined && last !== first) {
      this.#heap[0] = last
      this.#sink()
    }
    return first.item
  }

  /** Drops what need not be looked at any more. */
  prune(isNeeded: (item: T) => boolean): void {
    const needed = this.#heap.filter(({ item }) => isNeeded(item))
    this.#heap.length = 0
    for (const { at, item } of needed) this.add(at, item)
  }

  #sink(): void {
    let index = 0
    for (;;) {
      const left = 2 * index + 1
      const right = left + 1
      let least = index
      if (this.#at(left) < this.#at(least)) least = left
      if (this.#at(right) < this.#at(least)) least = right
      if (least === index) return
      this.#swap(index, least)
      index = least
    }
  }

  #at(index: number): number {
    return this.#heap[index]?.at ?? Infinity
  }

  #swap(left: number, right: number): void {
    const a = this.#heap[left]
    const b = this.#heap[right]
    if (a === undefined || b === undefined) return
    this.#heap[left] = b
    this.#heap[right] = a
  }
}
