import { Head } from './entry.ts'
import { putEntries } from './index-changes.ts'
import type { StoredIndex } from './index-catalog.ts'
import type { EntrySource } from './layer.ts'
import type { Lmdb } from './lmdb.ts'
import { ROOT_NAME, TOP_HEAD } from './place.ts'

/** A step on the way through the children that an index is about. */
interface Visit {
  /** Keys from the root to here. */
  readonly keys: readonly string[]
  /** The head above, where this is such a child; `undefined` on the way to one. */
  readonly head: number | undefined
}

/**
 * Makes the entries of what was there before an index, a part at a time. Whatever comes or changes in
 * between gets its entries by the write that does it, so that nothing is lost wherever this stands.
 *
 * @param steps At most so many: children, and what was looked at on the way to them.
 * @param end When to stop before that, as `performance.now()` says: a child may be large.
 * @returns the index as it has come to be.
 */
export function buildPart(
  lmdb: Lmdb,
  source: EntrySource,
  index: StoredIndex,
  steps: number,
  end: number,
): StoredIndex {
  const visits: Visit[] = []
  // All of them before the first entry is made: no cursor stays open over a write.
  for (const visit of childrenAfter(source, index)) {
    visits.push(visit)
    if (visits.length === steps) break
  }
  for (const { keys, head } of visits) {
    const name = keys.at(-1)
    if (head === undefined || name === undefined) continue
    const entry = source.entry(head, name)
    if (entry !== undefined) putEntries(lmdb, head, name, source, entry, [index])
    if (performance.now() > end) return { ...index, position: keys }
  }
  const last = visits.at(-1)
  if (visits.length < steps || last === undefined) return { ...index, state: 'ready', position: [] }
  return { ...index, position: last.keys }
}

/** Whether there is a head at all, and so something that an index could be about. */
export function hasHeads(source: EntrySource): boolean {
  return source.entry(TOP_HEAD, ROOT_NAME) instanceof Head
}

/** The children that an index is about, in key order at each depth, from its position on. */
function* childrenAfter(source: EntrySource, index: StoredIndex): Iterable<Visit> {
  const root = source.entry(TOP_HEAD, ROOT_NAME)
  if (root instanceof Head) yield* below(source, root.number, index.keys, [], index.position)
}

function* below(
  source: EntrySource,
  head: number,
  pattern: readonly string[],
  keys: readonly string[],
  from: readonly string[],
): Iterable<Visit> {
  const part = pattern[keys.length]
  const begin = from[keys.length]
  if (part === undefined) {
    for (const name of names(source, head, begin)) yield { keys: [...keys, name], head }
  } else if (part === '*') {
    if (begin !== undefined) yield* into(source, head, begin, pattern, keys, from)
    for (const name of names(source, head, begin)) {
      yield* into(source, head, name, pattern, keys, [])
      // A long list of rows is nothing to index, but takes time as well.
      yield { keys: [...keys, name], head: undefined }
    }
  } else yield* into(source, head, part, pattern, keys, begin === part ? from : [])
}

function* into(
  source: EntrySource,
  head: number,
  name: string,
  pattern: readonly string[],
  keys: readonly string[],
  from: readonly string[],
): Iterable<Visit> {
  const entry = source.entry(head, name)
  // What is in one row needs no entries.
  if (entry instanceof Head) yield* below(source, entry.number, pattern, [...keys, name], from)
}

function names(source: EntrySource, head: number, after: string | undefined): Iterable<string> {
  return source.names(head, after === undefined ? {} : { after })
}
