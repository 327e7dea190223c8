import { TreeError } from './errors.ts'
import { NodeEdits, withPriority } from './node-edit.ts'
import { ServerValue, nodeAt, nodesEqual, priorityOf } from './node.ts'
import type { Priority, TreeNode } from './node.ts'
import { pathKeys, splitPriorityPath } from './path.ts'
import type { Path } from './path.ts'

/** What lies at a path of a tree; the priority of the node where the path ends in `.priority`. */
export function valueAt(root: TreeNode | null, path: Path): TreeNode | null {
  const place = splitPriorityPath(path)
  const node = nodeAt(root, pathKeys(place.path))
  return place.priority ? priorityOf(node) : node
}

/** Values that are written into one tree, one after the other. */
export class TreeEdits {
  readonly #edits: NodeEdits

  constructor(root: TreeNode | null) {
    this.#edits = new NodeEdits(root)
  }

  /**
   * Writes a value at a path, as `withChild` and `withPriority` do.
   *
   * @returns whether that changed anything.
   * @throws {TreeError} `ERR_INVALID_PRIORITY` when the path is that of a priority and the value is
   * none.
   */
  set(path: Path, value: TreeNode | null): boolean {
    const place = splitPriorityPath(path)
    const keys = pathKeys(place.path)
    const before = this.#edits.at(keys)
    const after = place.priority ? withPriority(before, toPriority(value, path)) : value
    if (nodesEqual(before, after)) return false
    this.#edits.set(keys, after)
    return true
  }

  /** The tree with all of it, which is not edited any more. */
  finish(): TreeNode | null {
    return this.#edits.finish()
  }
}

function toPriority(value: TreeNode | null, path: Path): Priority | ServerValue {
  if (isPriority(value)) return value
  throw new TreeError(
    'ERR_INVALID_PRIORITY',
    `Cannot write ${path}: a priority is a number, a string or null`,
    { path },
  )
}

/** Whether a value can be written as the priority of a node. */
export function isPriority(value: TreeNode | null): value is Priority | ServerValue {
  if (typeof value === 'object') return value === null || value instanceof ServerValue
  return typeof value !== 'boolean'
}
