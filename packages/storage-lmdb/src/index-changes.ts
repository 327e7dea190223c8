import type { IndexValue } from '@elkyn/tree'
import type { Entry } from './entry.ts'
import { entryField } from './entry-field.ts'
import type { StoredIndex } from './index-catalog.ts'
import { indexKey } from './index-key.ts'
import type { EntrySource } from './layer.ts'
import type { Lmdb } from './lmdb.ts'

/** Children of one head that were written. */
interface Touched {
  readonly indexes: readonly StoredIndex[]
  /** By name, the indexes whose field was written. The others change only where the child comes or goes. */
  readonly children: Map<string, Set<StoredIndex>>
}

/** Which index entries have to be looked at because of what was written. */
export class IndexChanges {
  /** Heads that came, with the indexes of their places: all their children get entries. */
  readonly fresh: Map<number, readonly StoredIndex[]> = new Map()
  readonly #touched = new Map<number, Touched>()

  get isEmpty(): boolean {
    return this.fresh.size === 0 && this.#touched.size === 0
  }

  addFresh(head: number, indexes: readonly StoredIndex[]): void {
    const known = this.fresh.get(head)
    this.fresh.set(head, known === undefined ? indexes : [...new Set([...known, ...indexes])])
  }

  /** Notes that something was written in a child, at the end of `below`. */
  touch(
    head: number,
    indexes: readonly StoredIndex[],
    child: string,
    below: readonly string[],
  ): void {
    let touched = this.#touched.get(head)
    if (touched === undefined) {
      touched = { indexes, children: new Map() }
      this.#touched.set(head, touched)
    }
    let written = touched.children.get(child)
    if (written === undefined) {
      written = new Set()
      touched.children.set(child, written)
    }
    for (const index of indexes) if (concerns(index, below)) written.add(index)
  }

  absorb(top: IndexChanges): void {
    for (const [head, indexes] of top.fresh) this.addFresh(head, indexes)
    for (const [head, { indexes, children }] of top.#touched) {
      const touched = this.#touched.get(head)
      if (touched === undefined) {
        this.#touched.set(head, { indexes, children: new Map(children) })
        continue
      }
      for (const [child, written] of children) {
        const known = touched.children.get(child)
        touched.children.set(child, known === undefined ? written : new Set([...known, ...written]))
      }
    }
  }

  clear(): void {
    if (this.fresh.size > 0) this.fresh.clear()
    if (this.#touched.size > 0) this.#touched.clear()
  }

  /**
   * Removes the entries of what children were in `before`, where they are something else in `after`, and
   * makes those of what they are there. Both are to be as they were and as they will be.
   */
  store(lmdb: Lmdb, before: EntrySource, after: EntrySource): void {
    // Heads that came may be among these: what was staged for another place has entries as well.
    for (const [head, { indexes, children }] of this.#touched) {
      for (const [name, written] of children) {
        const old = before.entry(head, name)
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
    lmdb.putIndexKey(indexKey(head, index.number, entryField(source, entry, index.field), name))
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
  const old = from === undefined ? undefined : indexKey(head, number, from, name)
  const now = to === undefined ? undefined : indexKey(head, number, to, name)
  // Long strings may differ where their keys do not.
  if (old !== undefined && now !== undefined && old.equals(now)) return
  if (old !== undefined) lmdb.removeIndexKey(old)
  if (now !== undefined) lmdb.putIndexKey(now)
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
