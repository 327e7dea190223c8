import { TreeError } from './errors.ts'
import { isAncestor, isPriorityPath, parsePath, rootPath } from './path.ts'
import type { Path } from './path.ts'

/**
 * The path that a member name of an update stands for, from the place of the update.
 * @throws {TreeError} as `parsePath`, and `ERR_INVALID_PATH` for a name that leads nowhere.
 */
export function parseUpdatePath(name: string): Path {
  const path = parsePath(name, { priority: true })
  if (path === rootPath) {
    throw new TreeError('ERR_INVALID_PATH', `Invalid path: "${name}" has no key`, { path })
  }
  return path
}

/**
 * Makes sure that no two paths of one write touch the same place.
 * @throws {TreeError} `ERR_PATH_CONFLICT` when two are equal or one is an ancestor of the other.
 */
export function checkConflicts(paths: readonly Path[]): void {
  const [first] = paths
  if (first === undefined || paths.length < 2) return
  // Key by key, and only where they part: V8 finds texts of more than 16,383 units in a map by their lengths alone.
  const start = commonLength(first, paths)
  const root: PlaceOnWay = { path: first, isEnd: false, below: undefined }
  for (const path of paths) end(path, keysFrom(path, start), root)
}

/** A place on the way to paths. */
interface PlaceOnWay {
  /** The one that ends here, or else one of them. */
  path: Path
  isEnd: boolean
  below: Map<string, PlaceOnWay> | undefined
}

/** How long the path is that all of them begin with, as whole keys; 0 for the root. */
function commonLength(first: Path, paths: readonly Path[]): number {
  let common = first.slice(0, first.lastIndexOf('/')) as Path
  for (const path of paths) {
    while (path !== common && !isAncestor(common, path)) {
      common = common.slice(0, common.lastIndexOf('/')) as Path
    }
  }
  return common.length
}

/** The keys behind so much of a path. */
function keysFrom(path: Path, start: number): readonly string[] {
  const rest = path.slice(start + 1)
  return rest === '' ? [] : rest.split('/')
}

/** Walks from a place to the end of a path, through none where another one ends. */
function end(path: Path, keys: readonly string[], from: PlaceOnWay): void {
  let place = from
  for (const key of keys) {
    if (place.isEnd) throw isAbove(place.path, path)
    place.below ??= new Map()
    let next = place.below.get(key)
    if (next === undefined) {
      next = { path, isEnd: false, below: undefined }
      place.below.set(key, next)
    }
    place = next
  }
  if (place.isEnd) throw conflict(path, `path '${path}' is given twice`)
  if (place.below !== undefined) throw isAbove(path, place.path)
  place.path = path
  place.isEnd = true
}

function isAbove(above: Path, path: Path): TreeError {
  return conflict(above, `path '${above}' is an ancestor of another path '${path}'`)
}

function conflict(path: Path, text: string): TreeError {
  return new TreeError('ERR_PATH_CONFLICT', `Invalid data; ${text}`, { path })
}

/**
 * The members of an update in the order in which they have to be written one after the other:
 * deletions come behind what is set, lest a branch goes in between and takes its priority along,
 * and priorities last, when the nodes are there that carry them.
 */
export function inWriteOrder<Member extends { readonly path: Path }>(
  members: readonly Member[],
  isDeletion: (member: Member) => boolean,
): Member[] {
  const sets: Member[] = []
  const deletions: Member[] = []
  const priorities: Member[] = []
  for (const member of members) {
    if (isPriorityPath(member.path)) priorities.push(member)
    else if (isDeletion(member)) deletions.push(member)
    else sets.push(member)
  }
  return [...sets, ...deletions, ...priorities]
}
