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
  const start = commonLength(first, paths)
  const above = first.slice(0, start)
  // No key has a control character: with the lowest one between keys, what lies below a place comes right behind it. A map
  // of the paths would not do, since V8 finds texts of more than 16,383 units in it by their lengths alone.
  // Not `replaceAll()`, which leaves them in pieces.
  const sorted = paths.map((path) => path.slice(start).split('/').join('\0')).toSorted()
  let last: string | undefined
  for (const next of sorted) {
    if (last !== undefined && next.startsWith(last)) {
      checkPair(pathOf(above, last), pathOf(above, next))
    }
    last = next
  }
}

function pathOf(above: string, rest: string): Path {
  return `${above}${rest.replaceAll('\0', '/')}` as Path
}

function checkPair(path: Path, other: Path): void {
  if (path === other) throw conflict(path, `path '${path}' is given twice`)
  if (isAncestor(path, other)) {
    throw conflict(path, `path '${path}' is an ancestor of another path '${other}'`)
  }
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
