import { TreeError } from './errors.ts'
import { isPriorityPath, parentPath, parsePath, rootPath } from './path.ts'
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
  if (paths.length < 2) return
  const seen = new Set<Path>()
  for (const path of paths) {
    if (seen.has(path)) throw conflict(path, `path '${path}' is given twice`)
    seen.add(path)
  }
  for (const path of paths) {
    for (let above = parentPath(path); above !== undefined; above = parentPath(above)) {
      if (seen.has(above)) {
        throw conflict(above, `path '${above}' is an ancestor of another path '${path}'`)
      }
    }
  }
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
