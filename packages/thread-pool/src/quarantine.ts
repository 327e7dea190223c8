/** Keys of tasks that have killed threads. */
export class Quarantine {
  readonly #after: number
  // Insertion order is age: the oldest keys go when there are too many.
  readonly #deaths = new Map<string, number>()

  /** @param after deaths from which a key is refused */
  constructor(after: number) {
    this.#after = after
  }

  /** @returns how many threads the key has killed by now */
  add(key: string): number {
    const deaths = this.deaths(key) + 1
    this.#deaths.delete(key)
    this.#deaths.set(key, deaths)
    if (this.#deaths.size > maxKeys) {
      for (const oldest of this.#deaths.keys()) {
        this.#deaths.delete(oldest)
        break
      }
    }
    return deaths
  }

  /** How many threads the key has killed. */
  deaths(key: string): number {
    return this.#deaths.get(key) ?? 0
  }

  has(key: string): boolean {
    return this.deaths(key) >= this.#after
  }

  delete(key: string): boolean {
    return this.#deaths.delete(key)
  }

  get keys(): string[] {
    return [...this.#deaths.keys()].filter((key) => this.has(key))
  }
}

const maxKeys = 1000
