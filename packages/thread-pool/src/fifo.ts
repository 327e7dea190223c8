/** A first-in first-out list whose ends cost the same however long it is. */
export class Fifo<T> {
  #in: T[] = []
  // Reversed: its last is the first to leave.
  #out: T[] = []

  get size(): number {
    return this.#in.length + this.#out.length
  }

  push(item: T): void {
    this.#in.push(item)
  }

  /** Puts back what is to leave first. */
  unshift(item: T): void {
    this.#out.push(item)
  }

  peek(): T | undefined {
    this.#turn()
    return this.#out.at(-1)
  }

  shift(): T | undefined {
    this.#turn()
    return this.#out.pop()
  }

  clear(): T[] {
    const all = [...this.#out.toReversed(), ...this.#in]
    this.#in = []
    this.#out = []
    return all
  }

  #turn(): void {
    if (this.#out.length > 0) return
    this.#out = this.#in.toReversed()
    this.#in = []
  }
}
