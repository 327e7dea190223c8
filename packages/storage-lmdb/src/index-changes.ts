import type { IndexValue } from '@elkyn/tree'
import type { Entry } from './entry.ts'
import { entryField } from './entry-field.ts'
import type { StoredIndex } from './index-catalog.ts'
import type { EntrySource } from './layer.ts'
import type { Lmdb } from './lmdb.ts'

/** A child that was written. */
interface Touch {
  readonly head: number
  /** Those of the place that the head is. */
  readonly indexes: readonly StoredIndex[]
  readonly child: string
  /** The indexes whose field was written. The others change only where the child comes or goes. */
  readonly written: readonly StoredIndex[]
  /** What it was before the first write; {@link notRead} when LMDB has to say. */
  readonly before: Entry | undefined | typeof notRead
}

/** Stands for an entry that nobody has looked at. */
export const notRead: unique symbol = Symbol('not read')

/** Which index entries have to be looked at because of what was written. */
export class IndexChanges {
  /** Heads that came, with the indexes of their places: all their children get entries. */
  readonly fresh: Map<number, readonly StoredIndex[]> = new Map()
  /** In the order of the writes; a child may be there more than once. */
  readonly #touches: Touch[] = []

  get isEmpty(): boolean {
    return this.fresh.size === 0 && this.#touches.length === 0
  }

  addFresh(head: number, indexes: readonly StoredIndex[]): void {
    const known = this.fresh.get(head)
    this.fresh.set(head, known === undefined ? indexes : [...new Set([...known, ...indexes])])
  }

  /**
   * Notes that something was written in a child, at the end of `below`.
   *
   * @param before The entry of the child before that, or {@link notRead}.
   */
  touch(
    head: number,
    indexes: readonly StoredIndex[],
    child: string,
    below: readonly string[],
    before: Touch['before'],
  ): void {
    const written = below.length === 0 ? indexes : indexes.filter((index) => concerns(index, below))
    this.#touches.push({ head, indexes, child, written, before })
  }

  absorb(top: IndexChanges): void {
    for (const [head, indexes] of top.fresh) this.addFresh(head, indexes)
    for (const touch of top.#touches) this.#touches.push(touch)
  }

  clear(): void {
    if (this.fresh.size > 0) this.fresh.clear()
    this.#touches.length = 0
  }

  /**
   * Removes the entries of what children were in `before`, where they are something else in `after`, and
   * makes those of what they are there. Both are to be as they were and as they will be.
   */
  store(lmdb: Lmdb, before: EntrySource, after: EntrySource): void {
    // Heads that came may be among these: what was staged for another place has entries as well.
    for (const children of this.#touchedChildren()) {
      for (const [name, { head, indexes, written, before: known }] of children) {
        const old = known === notRead ? before.entry(head, name) : known
        const now = after.entry(head, name)
        const isSameChild = old !== undefined && now !== undefined
        for (const index of isSameChild ? written : indexes) {
          const from = old && entryField(before, old, index.field)
          const to = now && entryField(after, now, index.field)
          if (!isEqual(from, to)) move(lmdb, head, index, name, from, to)
        }
      }
    }
    for (const [head, indexes] of this.fresh) {
      for (const names of nameGroups(after, head)) {
        for (const name of names) {
          const entry = after.entry(head, name)
          if (entry !== undefined) putEntries(lmdb, head, name, after, entry, indexes)
        }
      }
    }
  }

  /** Each child once, by head and name, with all that was written in it. */
  #touchedChildren(): Iterable<ReadonlyMap<string, Touch>> {
    const heads = new Map<number, Map<string, Touch>>()
    for (const touch of this.#touches) {
      let children = heads.get(touch.head)
      if (children === undefined) heads.set(touch.head, (children = new Map()))
      const earlier = children.get(touch.child)
      children.set(touch.child, earlier === undefined ? touch : together(earlier, touch))
    }
    return heads.values()
  }
}

/** Two writes of one child as one. What came first knows what was there. */
function together(earlier: Touch, later: Touch): Touch {
  const { indexes, written } = earlier
  if (written === indexes) return earlier
  if (later.written === later.indexes) return { ...earlier, written: indexes }
  return { ...earlier, written: [...new Set([...written, ...later.written])] }
}

/** So many names are read before their entries are made: no cursor stays open over a write. */
const NAMES = 1024

function* nameGroups(source: EntrySource, head: number): Generator<readonly string[], void, void> {
  let last: string | undefined
  do {
    const names: string[] = [
      ...source.names(head, { limit: NAMES, ...(last === undefined ? {} : { after: last }) }),
    ]
    yield names
    last = names.length === NAMES ? names.at(-1) : undefined
  } while (last !== undefined)
}

/** Makes the entries of one child. */
export function putEntries(
  lmdb: Lmdb,
  head: number,
  name: string,
  source: EntrySource,
  entry: Entry,
  indexes: readonly StoredIndex[],
): void {
  for (const index of indexes) {
    lmdb.indexes.put(head, index.number, entryField(source, entry, index.field), name)
  }
}

function move(
  lmdb: Lmdb,
  head: number,
  { number }: StoredIndex,
  name: string,
  from: IndexValue | undefined,
  to: IndexValue | undefined,
): void {
  // In this order: long strings may differ where their keys do not.
  if (from !== undefined) lmdb.indexes.remove(head, number, from, name)
  if (to !== undefined) lmdb.indexes.put(head, number, to, name)
}

/** Whether what is written at the end of `below` may change the field of an index. */
function concerns({ field }: StoredIndex, below: readonly string[]): boolean {
  if (field.kind !== 'child') return true
  const common = Math.min(field.keys.length, below.length)
  for (let depth = 0; depth < common; depth++) {
    if (field.keys[depth] !== below[depth]) return false
  }
  return true
}

function isEqual(a: IndexValue | undefined, b: IndexValue | undefined): boolean {
  // All branches are the same object.
  return a === b
}
