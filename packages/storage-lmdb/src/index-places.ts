import { rootPath } from '@elkyn/tree'
import type { IndexDefinition, Path } from '@elkyn/tree'

/** A part of the pattern of a place that stands for any key. */
const ANY = '*'

interface Node<T> {
  readonly below: Map<string, Node<T>>
  readonly indexes: T[]
}

/** A place above a path. */
export interface PlaceAbove<T> {
  readonly path: Path
  /** Number of its keys. */
  readonly depth: number
  readonly indexes: readonly T[]
}

/** Finds indexes by the places that their patterns fit. */
export class IndexPlaces<T extends IndexDefinition> {
  readonly #root: Node<T> = { below: new Map(), indexes: [] }
  readonly isEmpty: boolean
  /** What was asked for last. */
  #parent: string | undefined
  #above: readonly PlaceAbove<T>[] = []

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

  /** The places with indexes above a path, from the root on. */
  above(path: Path): readonly PlaceAbove<T>[] {
    if (path === rootPath) return []
    const parent = path.slice(0, path.lastIndexOf('/'))
    // Writes come in lists: what was found for one holds for its neighbours.
    if (parent !== this.#parent) {
      this.#above = this.#findAbove(parent === '' ? [] : parent.slice(1).split('/'))
      this.#parent = parent
    }
    return this.#above
  }

  #findAbove(keys: readonly string[]): readonly PlaceAbove<T>[] {
    const found: PlaceAbove<T>[] = []
    let nodes: readonly Node<T>[] = [this.#root]
    for (let depth = 0; nodes.length > 0; depth++) {
      const indexes = nodes.flatMap((node) => node.indexes)
      const path = `/${keys.slice(0, depth).join('/')}` as Path
      if (indexes.length > 0) found.push({ path, depth, indexes })
      const key = keys[depth]
      if (key === undefined) break
      nodes = step(nodes, key)
    }
    return found
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
