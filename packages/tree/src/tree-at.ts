import { TreeError } from './errors.ts'
import { withChild, withPriority } from './node-edit.ts'
import { ServerValue, nodeAt, priorityOf } from './node.ts'
import type { Priority, TreeNode } from './node.ts'
import { pathKeys, splitPriorityPath } from './path.ts'
import type { Path } from './path.ts'

/** What lies at a path of a tree; the priority of the node where the path ends in `.priority`. */
export function valueAt(root: TreeNode | null, path: Path): TreeNode | null {
  const place = splitPriorityPath(path)
  const node = nodeAt(root, pathKeys(place.path))
  return place.priority ? priorityOf(node) : node
}

/**
 * The tree with another value at a path, as `withChild` and `withPriority` make it.
 * @throws {TreeError} `ERR_INVALID_PRIORITY` when the path is that of a priority and the value is
 * none.
 */
export function withValueAt(
  root: TreeNode | null,
  path: Path,
  value: TreeNode | null,
): TreeNode | null {
  const place = splitPriorityPath(path)
  const keys = pathKeys(place.path)
  if (!place.priority) return withChild(root, keys, value)
  return withChild(root, keys, withPriority(nodeAt(root, keys), toPriority(value, path)))
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
