import { compareKeys } from '@elkyn/tree'
import type { KeyRange } from '@elkyn/tree'
import type { Entry } from './entry.ts'

/** Entries by head and name, as far as somebody looks at them. */
export interface EntrySource {
  entry(head: number, name: string): Entry | undefined
  /** Names under a head in key order. */
  names(head: number, range?: KeyRange): Iterable<string>
}

/**
 * Changes of entries over a source that stays as it is. A write is gathered in a layer of its own,
 * so that it can be judged against what it was, and is forgotten when it is refused.
 */
export class Layer implements EntrySource {
  readonly #below: EntrySource
  /** What changed by head and name; `null` stands for an entry that was removed. */
  readonly #changed = new Map<number, Map<string, Entry | null>>()
  /** The one change that most writes make, kept without maps until there is another. */
  #sole: { head: number; name: string; entry: Entry | null } | undefined
  /** Heads that went away with everything under them. */
  readonly buried: number[] = []
  /** Staged heads that found their place. */
  readonly linked: number[] = []
  /** Heads that got a child with the odd spelling of an integer. */
  readonly odd: Set<number> = new Set()
  /** How many heads went away, buried or because nothing was left under them. */
  gone = 0
  /** Whether heads came, which a map of heads may have met. */
  grown = false

  constructor(below: EntrySource) {
    this.#below = below
  }

  entry(head: number, name: string): Entry | undefined {
    const sole = this.#sole
    if (sole !== undefined && sole.head === head && sole.name === name) {
      return sole.entry ?? undefined
    }
    const changed = this.#changed.get(head)?.get(name)
    if (changed !== undefined) return changed ?? undefined
    return this.#below.entry(head, name)
  }

  set(head: number, name: string, entry: Entry | null): void {
    const sole = this.#sole
    if (sole === undefined && this.#changed.size === 0) {
      this.#sole = { head, name, entry }
      return
    }
    if (sole !== undefined) {
      this.#sole = undefined
      this.#change(sole.head, sole.name, sole.entry)
    }
    this.#change(head, name, entry)
  }

  #change(head: number, name: string, entry: Entry | null): void {
    let names = this.#changed.get(head)
    if (names === undefined) {
      names = new Map()
      this.#changed.set(head, names)
    }
    names.set(name, entry)
  }

  *names(head: number, range: KeyRange = {}): Iterable<string> {
    const changed = this.#changedUnder(head)
    if (changed === undefined) {
      yield* this.#below.names(head, range)
      return
    }
    const { limit = Infinity, ...bounds } = range
    let left = limit
    for (const name of merged(this.#below.names(head, bounds), changed, bounds)) {
      if (left-- <= 0) return
      yield name
    }
  }

  #changedUnder(head: number): ReadonlyMap<string, Entry | null> | undefined {
    const sole = this.#sole
    return sole?.head === head ? new Map([[sole.name, sole.entry]]) : this.#changed.get(head)
  }

  /** Takes over what a layer on top of this one changed. */
  absorb(top: Layer): void {
    top.forEach((head, name, entry) => {
      this.set(head, name, entry)
    })
    // One by one: there may be more than a call takes as arguments.
    for (const head of top.buried) this.buried.push(head)
    for (const head of top.linked) this.linked.push(head)
    for (const head of top.odd) this.odd.add(head)
    this.gone += top.gone
  }

  /** Calls a function with each change. */
  forEach(visit: (head: number, name: string, entry: Entry | null) => void): void {
    const sole = this.#sole
    if (sole !== undefined) visit(sole.head, sole.name, sole.entry)
    for (const [head, names] of this.#changed) {
      for (const [name, entry] of names) visit(head, name, entry)
    }
  }

  /** Forgets everything, once the source below has it. */
  settle(): void {
    this.#sole = undefined
    if (this.#changed.size > 0) this.#changed.clear()
    this.buried.length = 0
    this.linked.length = 0
    this.odd.clear()
    this.gone = 0
    this.grown = false
  }
}

/** Names of a sorted source with changes worked in; both in the order of `range`. */
function* merged(
  source: Iterable<string>,
  changed: ReadonlyMap<string, Entry | null>,
  range: KeyRange,
): Iterable<string> {
  const sign = range.reverse === true ? -1 : 1
  const added = [...changed.keys()]
    .filter((name) => changed.get(name) !== null && isWithin(name, range))
    .toSorted((a, b) => sign * compareKeys(a, b))
  let next = 0
  for (const name of source) {
    while (next < added.length && sign * compareKeys(added[next]!, name) < 0) yield added[next++]!
    if (changed.has(name)) {
      if (added[next] === name) yield added[next++]!
      continue
    }
    yield name
  }
  while (next < added.length) yield added[next++]!
}

function isWithin(name: string, { after, before }: KeyRange): boolean {
  if (after !== undefined && compareKeys(name, after) <= 0) return false
  return before === undefined || compareKeys(name, before) < 0
}
