import type { IndexDefinition } from '@elkyn/tree'

/** A part of the pattern of a place that stands for any key. */
const ANY = '*'

interface Node<T> {
  readonly below: Map<string, Node<T>>
  readonly indexes: T[]
}

/** Finds indexes by the places that their patterns fit. */
export class IndexPlaces<T extends IndexDefinition> {
  readonly #root: Node<T> = { below: new Map(), indexes: [] }
  readonly isEmpty: boolean

  constructor(indexes: readonly T[]) {
    this.isEmpty = indexes.length === 0
    for (const index of indexes) {
      let node = this.#root
      for (const key of index.keys) {
        let next = node.below.get(key)
        if (next === undefined) {
          next = { below: new Map(), indexes: [] }
          node.below.set(key, next)
        }
        node = next
      }
      node.indexes.push(index)
    }
  }

  /** The indexes of the place at the end of `keys`. */
  at(keys: readonly string[]): readonly T[] {
    return this.#walk(keys, keys.length).flatMap(({ indexes }) => indexes)
  }

  /** The indexes of each place above the one at the end of `keys`, with the number of its keys. */
  *above(keys: readonly string[]): Generator<readonly [depth: number, indexes: readonly T[]]> {
    let nodes: readonly Node<T>[] = [this.#root]
    for (let depth = 0; depth < keys.length && nodes.length > 0; depth++) {
      const indexes = nodes.flatMap((node) => node.indexes)
      if (indexes.length > 0) yield [depth, indexes]
      nodes = step(nodes, keys[depth]!)
    }
  }

  /** Whether there are such indexes of places below the one at the end of `keys`. */
  hasBelow(keys: readonly string[], isWanted: (index: T) => boolean): boolean {
    return this.#walk(keys, keys.length).some((node) => hasBelow(node, isWanted))
  }

  /** Keys that lead from a place on to others with indexes; `'any'` where each of them may. */
  next(keys: readonly string[]): 'any' | readonly string[] {
    const names = this.#walk(keys, keys.length).flatMap(({ below }) => Array.from(below.keys()))
    return names.includes(ANY) ? 'any' : names
  }

  #walk(keys: readonly string[], depth: number): readonly Node<T>[] {
    let nodes: readonly Node<T>[] = [this.#root]
    for (let at = 0; at < depth && nodes.length > 0; at++) nodes = step(nodes, keys[at]!)
    return nodes
  }
}

function hasBelow<T>({ below }: Node<T>, isWanted: (index: T) => boolean): boolean {
  return [...below.values()].some((node) => node.indexes.some(isWanted) || hasBelow(node, isWanted))
}

function step<T>(nodes: readonly Node<T>[], key: string): readonly Node<T>[] {
  const found: Node<T>[] = []
  for (const { below } of nodes) {
    const literal = key === ANY ? undefined : below.get(key)
    if (literal !== undefined) found.push(literal)
    const any = below.get(ANY)
    if (any !== undefined) found.push(any)
  }
  return found
}
