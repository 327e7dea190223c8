import { TreeValue, compareKeys } from '@elkyn/tree'
import type { KeyRange } from '@elkyn/tree'
import type { Entry } from './entry.ts'
import { IndexChanges } from './index-changes.ts'
import { longLeaf, passedOf } from './leaf-row.ts'
import type { Passed } from './leaf-row.ts'
import type { EntryLookup } from './place.ts'

/** Entries by head and name, as far as somebody looks at them. */
export interface EntrySource extends EntryLookup {
  /** Names under a head in key order. */
  names(head: number, range?: KeyRange): Iterable<string>
}

/**
 * Changes of entries over a source that stays as it is. A write is gathered in a layer of its own,
 * so that it can be judged against what it was, and is forgotten when it is refused.
 */
export class Layer implements EntrySource {
  readonly #below: EntrySource
  /** What changed, by head. */
  readonly #changed = new Map<number, HeadChanges>()
  /** The one change that most writes make, kept without maps until there is another. */
  #sole: Named<Entry | null> | undefined
  /** The longer row that was read last: many writes in turn, or pairs of one, may be about the same one. */
  #lastRead: Named<TreeValue> | undefined
  /** The names of long leaves, by head, that somebody passed: even to look at one takes as long as it is long. */
  readonly #longLeaves = new Map<number, Set<string>>()
  /** Heads that went away with everything under them. */
  readonly buried: number[] = []
  /** Staged heads that found their place. */
  readonly linked: number[] = []
  /** Heads that got a child with the odd spelling of an integer. */
  readonly odd: Set<number> = new Set()
  /** Heads that got a child with a priority. */
  readonly ranked: Set<number> = new Set()
  /** What indexes have to follow. */
  readonly indexing: IndexChanges = new IndexChanges()
  /** How many heads went away, buried or because nothing was left under them. */
  gone = 0
  /** Whether heads came, which a map of heads may have met. */
  grown = false

  constructor(below: EntrySource) {
    this.#below = below
  }

  entry(head: number, name: string): Entry | undefined {
    const changed = this.#changeOf(head, name)
    if (changed !== undefined) return changed ?? undefined
    const last = this.#lastRead
    if (last?.name === name && last.head === head) return last.entry
    const entry = this.#below.entry(head, name)
    if (isWorthKeeping(entry)) this.#lastRead = { head, name, entry }
    return entry
  }

  passed(head: number, name: string): Passed {
    const changed = this.#changeOf(head, name)
    if (changed !== undefined) return passedOf(changed ?? undefined)
    const last = this.#lastRead
    if (last?.name === name && last.head === head) return last.entry
    const leaves = this.#longLeaves.get(head)
    if (leaves?.has(name) === true) return longLeaf
    const entry = this.#below.passed(head, name)
    if (entry === longLeaf) this.#longLeaves.set(head, (leaves ?? new Set<string>()).add(name))
    else if (isWorthKeeping(entry)) this.#lastRead = { head, name, entry }
    return entry
  }

  #changeOf(head: number, name: string): Entry | null | undefined {
    const sole = this.#sole
    if (sole !== undefined && sole.head === head && sole.name === name) return sole.entry
    return this.#changed.get(head)?.entries.get(name)
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
    let changes = this.#changed.get(head)
    if (changes === undefined) {
      changes = new HeadChanges()
      this.#changed.set(head, changes)
    }
    changes.set(name, entry)
  }

  *names(head: number, range: KeyRange = {}): Iterable<string> {
    const changes = this.#changesUnder(head)
    if (changes === undefined) {
      yield* this.#below.names(head, range)
      return
    }
    const { limit = Infinity, ...bounds } = range
    let left = limit
    const source = this.#below.names(head, this.#behindPassed(head, changes, bounds))
    for (const name of merged(source, changes, bounds)) {
      if (left-- <= 0) return
      yield name
    }
  }

  /**
   * Whether there are names under a head. For any number of removals and questions in turn, each name
   * below is looked at once.
   */
  hasNames(head: number): boolean {
    const changes = this.#changesUnder(head)
    if (changes === undefined) return hasAny(this.#below.names(head, { limit: 1 }))
    if (changes.present > 0 || this.#presentBelow(head) > changes.entries.size) return true
    return this.#pass(head, changes)
  }

  /** A number of names that are below in any case, without looking at them: there they would be sorted first. */
  #presentBelow(head: number): number {
    const below = this.#below
    return below instanceof Layer ? (below.#changesUnder(head)?.present ?? 0) : 0
  }

  /** A range without those at its beginning that all have changed, which are not looked at twice. */
  #behindPassed(head: number, changes: HeadChanges, range: KeyRange): KeyRange {
    if (range.reverse === true || range.after !== undefined) return range
    this.#pass(head, changes)
    return changes.passed === undefined ? range : { ...range, after: changes.passed }
  }

  /** Passes over names below that have changed. @returns whether there are others. */
  #pass(head: number, changes: HeadChanges): boolean {
    const { passed } = changes
    for (const name of this.#below.names(head, passed === undefined ? {} : { after: passed })) {
      if (!changes.entries.has(name)) return true
      changes.passed = name
    }
    return false
  }

  #changesUnder(head: number): HeadChanges | undefined {
    const sole = this.#sole
    if (sole?.head !== head) return this.#changed.get(head)
    const changes = new HeadChanges()
    changes.set(sole.name, sole.entry)
    return changes
  }

  /** Takes over what a layer on top of this one changed. */
  absorb(top: Layer): void {
    const sole = top.#sole
    if (sole !== undefined) {
      this.set(sole.head, sole.name, sole.entry)
    } else {
      top.forEach((head, name, entry) => {
        this.set(head, name, entry)
      })
    }
    // One by one: there may be more than a call takes as arguments.
    for (let index = 0; index < top.buried.length; index++) this.buried.push(top.buried[index]!)
    for (let index = 0; index < top.linked.length; index++) this.linked.push(top.linked[index]!)
    if (top.odd.size > 0) for (const head of top.odd) this.odd.add(head)
    if (top.ranked.size > 0) for (const head of top.ranked) this.ranked.add(head)
    if (!top.indexing.isEmpty) this.indexing.absorb(top.indexing)
    this.gone += top.gone
  }

  /** Calls a function with each change. */
  forEach(visit: (head: number, name: string, entry: Entry | null) => void): void {
    const sole = this.#sole
    if (sole !== undefined) visit(sole.head, sole.name, sole.entry)
    for (const [head, { entries }] of this.#changed) {
      for (const [name, entry] of entries) visit(head, name, entry)
    }
  }

  /** Forgets everything, once the source below has it. */
  settle(): void {
    this.#sole = undefined
    this.#lastRead = undefined
    if (this.#longLeaves.size > 0) this.#longLeaves.clear()
    if (this.#changed.size > 0) this.#changed.clear()
    if (this.buried.length > 0) this.buried.length = 0
    if (this.linked.length > 0) this.linked.length = 0
    if (this.odd.size > 0) this.odd.clear()
    if (this.ranked.size > 0) this.ranked.clear()
    this.indexing.clear()
    this.gone = 0
    this.grown = false
  }
}

/** To read and to parse a row of fewer characters takes no longer than the rest of a write. */
const KEPT_MIN_LENGTH = 500

function isWorthKeeping(entry: Entry | Passed): entry is TreeValue {
  return entry instanceof TreeValue && entry.text.length >= KEPT_MIN_LENGTH
}

interface Named<E> {
  readonly head: number
  readonly name: string
  readonly entry: E
}

/** What changed under one head. */
class HeadChanges {
  /** `null` stands for an entry that was removed. */
  readonly entries = new Map<string, Entry | null>()
  /** How many of the entries are there. */
  present = 0
  /** All names below up to this one have changed. */
  passed: string | undefined
  /** Names in key order, all of those that are there and some that were. */
  #sorted: string[] | undefined

  set(name: string, entry: Entry | null): void {
    const wasThere = (this.entries.get(name) ?? null) !== null
    const isThere = entry !== null
    this.present += Number(isThere) - Number(wasThere)
    this.entries.set(name, entry)
    // Those that went are left out where they are met.
    if (isThere && !wasThere) this.#sorted = undefined
  }

  /** Names of the entries that are there, in the order of `range`. */
  *names({ after, before, reverse = false }: KeyRange): Iterable<string> {
    const names = this.#inKeyOrder()
    const start = after === undefined ? 0 : firstFrom(names, after, 1)
    const end = before === undefined ? names.length : firstFrom(names, before, 0)
    for (let index = start; index < end; index++) {
      const name = names[reverse ? start + end - 1 - index : index]!
      if (this.entries.get(name) !== null) yield name
    }
  }

  #inKeyOrder(): readonly string[] {
    if (this.present === 0) return []
    this.#sorted ??= [...this.entries.keys()]
      .filter((name) => this.entries.get(name) !== null)
      .toSorted(compareKeys)
    return this.#sorted
  }
}

/** The first place in sorted names that compares to `bound` as `least` or more. */
function firstFrom(names: readonly string[], bound: string, least: 0 | 1): number {
  let low = 0
  let high = names.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (Math.sign(compareKeys(names[middle]!, bound)) < least) low = middle + 1
    else high = middle
  }
  return low
}

/** Names of a sorted source with changes worked in; all in the order of `range`. */
function* merged(
  source: Iterable<string>,
  changes: HeadChanges,
  range: KeyRange,
): Iterable<string> {
  const sign = range.reverse === true ? -1 : 1
  const added = changes.names(range)[Symbol.iterator]()
  let next = added.next()
  for (const name of source) {
    while (next.done !== true && sign * compareKeys(next.value, name) < 0) {
      yield next.value
      next = added.next()
    }
    const changed = changes.entries.get(name)
    if (changed === undefined) yield name
    else if (changed !== null && next.done !== true) {
      // Here and in the source: it is the next one of both.
      yield next.value
      next = added.next()
    }
  }
  for (; next.done !== true; next = added.next()) yield next.value
}

function hasAny(names: Iterable<string>): boolean {
  for (const _ of names) return true
  return false
}
