/** Below this length nobody looks for what is not needed any more. */
const shortLength = 32

/**
 * A first-in first-out list whose ends cost the same however long it is. What has become needless in its middle is
 * dropped before it is more than the rest, so that a list whose first item never leaves does not grow for ever.
 */
export class Fifo<T> {
  readonly #isNeeded: (item: T) => boolean
  #in: T[] = []
  // Reversed: its last is the first to leave.
  #out: T[] = []
  /** The length at which needless items are dropped: twice what was left the last time. */
  #fullAt = shortLength

  constructor(isNeeded: (item: T) => boolean) {
    this.#isNeeded = isNeeded
  }

  get size(): number {
    return this.#in.length + this.#out.length
  }

  push(item: T): void {
    if (this.size >= this.#fullAt) this.#prune()
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

  #prune(): void {
    this.#in = this.clear().filter(this.#isNeeded)
    this.#fullAt = Math.max(shortLength, 2 * this.#in.length)
  }

  #turn(): void {
    if (this.#out.length > 0) return
    this.#out = this.#in.toReversed()
    this.#in = []
  }
}
