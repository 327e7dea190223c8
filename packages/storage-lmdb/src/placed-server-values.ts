import type { ServerValue } from '@elkyn/tree'

/** Server values by the keys that lead to them, of which all below a place can be forgotten at once. */
export class PlacedServerValues {
  readonly #below = new Map<string, PlacedServerValues>()
  #value: ServerValue | undefined

  set([key, ...rest]: readonly string[], value: ServerValue): void {
    if (key === undefined) {
      this.#value = value
      return
    }
    let next = this.#below.get(key)
    if (next === undefined) {
      next = new PlacedServerValues()
      this.#below.set(key, next)
    }
    next.set(rest, value)
  }

  /** Forgets those at a place and below it. */
  forget([key = '', ...rest]: readonly string[]): void {
    if (rest.length === 0) this.#below.delete(key)
    else this.#below.get(key)?.forget(rest)
  }

  /** All of them, each behind those above it. */
  *entries(keys: readonly string[] = []): Iterable<readonly [readonly string[], ServerValue]> {
    if (this.#value !== undefined) yield [keys, this.#value]
    for (const [key, place] of this.#below) yield* place.entries([...keys, key])
  }
}
