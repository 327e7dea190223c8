import { rootPath } from '@elkyn/tree'
import type { Path } from '@elkyn/tree'
import { inOnePiece } from './buffer-text.ts'
import type { Entry } from './entry.ts'
import type { Passed } from './leaf-row.ts'

/** The head above the tree, which has the root as its only child. */
export const TOP_HEAD = 0

/** The name of the root under it. Any would do; this one is in all folders. */
export const ROOT_NAME = 'default'

/**
 * Heads by the path of their node; `''` is the root. True of one snapshot, and of later ones until
 * a head goes away: a head that came since is only found by looking.
 */
export type HeadMap = Map<string, number>

/** Where entries are looked up. */
export interface EntryLookup {
  entry(head: number, name: string): Entry | undefined
  /** The same for who goes on to what lies below it. */
  passed(head: number, name: string): Passed
}

/** Where the walk to a path ends: at an entry, with the part of the way that lies inside it. */
export interface Place {
  readonly head: number
  readonly name: string
  /** Keys below the entry that lead to the path, parted by slashes; `''` when the entry is the node. */
  readonly rest: string
  /** The entry where the walk had to read it: never a head. `null` is nothing, `undefined` not read. */
  readonly entry: Exclude<Passed, number> | null
}

/**
 * Walks from the root to `path`, one lookup a head, from the deepest head that `heads` knows, and
 * adds those it meets. A path below a known head takes no lookup at all.
 */
export function findPlace(path: Path, heads: HeadMap, entries: EntryLookup): Place {
  if (path === rootPath) {
    return { head: TOP_HEAD, name: ROOT_NAME, rest: '', entry: undefined }
  }
  const lastSlash = path.lastIndexOf('/')
  const parent = known(path, lastSlash, heads)
  if (parent !== undefined) {
    return { head: parent, name: path.slice(lastSlash + 1), rest: '', entry: undefined }
  }
  return walk(path, lastSlash, heads, entries)
}

function walk(path: Path, lastSlash: number, heads: HeadMap, entries: EntryLookup): Place {
  let at = lastSlash
  let head: number | undefined
  while (head === undefined && at > 0) {
    at = path.lastIndexOf('/', at - 1)
    head = known(path, at, heads)
  }
  if (head === undefined) {
    const root = entries.passed(TOP_HEAD, ROOT_NAME)
    if (typeof root !== 'number') {
      return { head: TOP_HEAD, name: ROOT_NAME, rest: path.slice(1), entry: root ?? null }
    }
    head = root
    remember(heads, '', head)
  }
  for (;;) {
    const next = path.indexOf('/', at + 1)
    if (next === -1) return { head, name: path.slice(at + 1), rest: '', entry: undefined }
    const name = path.slice(at + 1, next)
    const entry = entries.passed(head, name)
    if (typeof entry !== 'number') {
      return { head, name, rest: path.slice(next + 1), entry: entry ?? null }
    }
    head = entry
    remember(heads, path.slice(0, next), head)
    at = next
  }
}

/** So many heads a thread remembers; then it begins anew. About 10 MB of paths. */
const MAX_HEADS = 100_000
/**
 * And none whose paths are longer, in UTF-16 units. Those take a lookup for each further key, rather than gigabytes; and
 * of more than 16,383 units V8 finds texts in a map by their lengths alone.
 */
const MAX_LENGTH = 1000

/** The head at the first `length` units of a path, if it is remembered. */
function known(path: Path, length: number, heads: HeadMap): number | undefined {
  return length > MAX_LENGTH ? undefined : heads.get(path.slice(0, length))
}

function remember(heads: HeadMap, path: string, head: number): void {
  if (path.length > MAX_LENGTH) return
  if (heads.size >= MAX_HEADS) heads.clear()
  // Else it would keep the path that it is the beginning of.
  heads.set(inOnePiece(path), head)
}

/** The path of the entry where the walk to `path` ended. */
export function entryPath(path: Path, place: Place): Path {
  if (place.rest === '') return path
  return (path.slice(0, path.length - place.rest.length - 1) || rootPath) as Path
}
