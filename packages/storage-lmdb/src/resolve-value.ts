import {
  TreeError,
  TreeValue,
  childPath,
  isPriorityPath,
  isStaged,
  resolveServerValues,
  splitPriorityPath,
} from '@elkyn/tree'
import type { Path, TreeNode, WriteValue } from '@elkyn/tree'
import type { Head } from './entry.ts'
import type { EntryView } from './entry-view.ts'
import type { Lmdb } from './lmdb.ts'
import { StagedHead } from './staged-head.ts'
import type { StagedIndexes } from './staged-head.ts'

/** A staged value with what its server values come to. */
export interface ResolvedStaged {
  readonly head: Head
  readonly indexed: StagedIndexes
  readonly sums: readonly (readonly [path: Path, sum: TreeValue])[]
}

/** What values are resolved with. */
export interface ResolveContext {
  readonly lmdb: Lmdb
  /** The tree as it is before the write. */
  readonly view: EntryView
  /** The time of the write. */
  readonly now: number
  /** Gets the staged values that are used. */
  readonly used: StagedHead[]
}

/**
 * What the value of a pair comes to in the tree as it is before the write: functions are called, and
 * server values computed.
 *
 * @throws {TreeError} `ERR_REFUSED` where a function returns nothing, and as `resolveServerValues`.
 * @throws {TypeError} for a value that another store staged, or that was written before.
 */
export function resolveValue(
  { lmdb, view, now, used }: ResolveContext,
  path: Path,
  value: WriteValue,
): TreeValue | ResolvedStaged {
  if (typeof value === 'function') {
    const result = value(view.get(path))
    if (result === undefined) {
      throw new TreeError('ERR_REFUSED', `Cannot write: the function for ${path} refused`, { path })
    }
    return computed(view, now, path, asTreeValue(result))
  }
  if (value instanceof StagedHead && value.staged === lmdb) {
    if (isPriorityPath(path)) throw invalidPriority(path)
    value.use()
    used.push(value)
    const sums = value.serverValues.map(({ keys, value: serverValue }) => {
      lmdb.progressed()
      const below = descendantPath(path, keys)
      return [below, computed(view, now, below, TreeValue.fromNode(serverValue))] as const
    })
    return { head: value.head, sums, indexed: value.indexed }
  }
  if (isStaged(value)) throw new TypeError('A staged value belongs to the store that staged it')
  return computed(view, now, path, asTreeValue(value))
}

export function invalidPriority(path: Path): TreeError {
  const message = `Cannot write ${path}: a priority is a number, a string or null`
  return new TreeError('ERR_INVALID_PRIORITY', message, { path })
}

/** A value with its server values computed. */
function computed(view: EntryView, now: number, path: Path, value: TreeValue): TreeValue {
  if (!value.hasServerValues || value.node === null) return value
  const { path: nodePath, priority } = splitPriorityPath(path)
  // One place at a time: what the write replaces may be larger than memory.
  const current = (keys: readonly string[]) =>
    priority ? view.get(path).node : view.top(descendantPath(nodePath, keys))
  return TreeValue.fromNode(resolveServerValues(value.node, now, current))
}

function asTreeValue(value: TreeNode | TreeValue | null): TreeValue {
  return value instanceof TreeValue ? value : TreeValue.fromNode(value)
}

function descendantPath(path: Path, keys: readonly string[]): Path {
  return keys.reduce(childPath, path)
}
