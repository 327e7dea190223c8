type Heads = () => readonly number[]

/** What was staged and is to be buried when whoever has it drops it without a word, or when the store closes. */
export class DroppedHeads {
  readonly #bury: (heads: readonly number[]) => void
  /** What a registry would say too late: it may never be asked before its thread ends. */
  readonly #open = new Set<Heads>()
  readonly #headsOf = new WeakMap<object, Heads>()
  readonly #registry = new FinalizationRegistry<Heads>((heads) => {
    this.#open.delete(heads)
    this.#bury(heads())
  })

  /** @param bury leaves those alone that have found their place. */
  constructor(bury: (heads: readonly number[]) => void) {
    this.#bury = bury
  }

  /** @param heads must not keep `owner` alive. */
  buryAfter(owner: object, heads: Heads): void {
    this.#open.add(heads)
    this.#headsOf.set(owner, heads)
    this.#registry.register(owner, heads, owner)
  }

  /** Takes that back. */
  keepAfter(owner: object): void {
    const heads = this.#headsOf.get(owner)
    if (heads !== undefined) this.#open.delete(heads)
    this.#registry.unregister(owner)
  }

  close(): void {
    const all = [...this.#open].flatMap((heads) => heads())
    this.#open.clear()
    this.#bury(all)
  }
}
