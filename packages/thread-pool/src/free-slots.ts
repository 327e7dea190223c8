/** Numbers that are not in use, handed out in the order in which they came back. */
export class FreeSlots {
  readonly #ring: Int32Array
  #head = 0
  #length: number

  constructor(count: number) {
    this.#ring = Int32Array.from({ length: count }, (_, slot) => slot)
    this.#length = count
  }

  /** @returns -1 if all are in use */
  take(): number {
    if (this.#length === 0) return -1
    const slot = this.#ring[this.#head] ?? -1
    this.#head = (this.#head + 1) % this.#ring.length
    this.#length--
    return slot
  }

  give(slot: number): void {
    this.#ring[(this.#head + this.#length) % this.#ring.length] = slot
    this.#length++
  }
}
