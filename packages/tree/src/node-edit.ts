import { compareKeys } from './key-order.ts'
import { Branch, RankedLeaf, childOf, priorityOf } from './node.ts'
import type { Priority, ServerValue, TreeNode } from './node.ts'

/**
 * The node with `value` at the end of `keys` below it, and nothing there when that is `null`.
 * A leaf on the way becomes a branch that keeps the leaf's priority, unless there was nothing to
 * delete below it; a branch that loses its last child goes, and so on upward. What did not change
 * is shared: the same node comes back when nothing did.
 */
export function withChild(
  node: TreeNode | null,
  keys: readonly string[],
  value: TreeNode | null,
): TreeNode | null {
  return withDescendant(node, keys, 0, value)
}

function withDescendant(
  node: TreeNode | null,
  keys: readonly string[],
  level: number,
  value: TreeNode | null,
): TreeNode | null {
  const key = keys[level]
  if (key === undefined) return value
  const before = childOf(node, key)
  const after = withDescendant(before, keys, level + 1, value)
  if (after === before) return node
  if (!(node instanceof Branch)) {
    // Something came where nothing was, else `after` would be `before`.
    return new Branch(new Map([[key, after as TreeNode]]), priorityOf(node))
  }
  const children = after === null ? without(node.children, key) : including(node, key, after)
  return children.size === 0 ? null : new Branch(children, node.priority)
}

function without(children: ReadonlyMap<string, TreeNode>, key: string): Map<string, TreeNode> {
  const rest = new Map(children)
  rest.delete(key)
  return rest
}

function including(branch: Branch, key: string, child: TreeNode): Map<string, TreeNode> {
  if (branch.children.has(key)) return new Map(branch.children).set(key, child)
  const children = new Map<string, TreeNode>()
  let placed = false
  for (const [other, sibling] of branch.children) {
    if (!placed && compareKeys(key, other) < 0) {
      children.set(key, child)
      placed = true
    }
    children.set(other, sibling)
  }
  return placed ? children : children.set(key, child)
}

/** The node with another priority; `null` takes it away. Nothing carries no priority. */
export function withPriority(
  node: TreeNode | null,
  priority: Priority | ServerValue,
): TreeNode | null {
  if (node === null || priorityOf(node) === priority) return node
  if (node instanceof Branch) return new Branch(node.children, priority)
  const value = node instanceof RankedLeaf ? node.value : node
  return priority === null ? value : new RankedLeaf(value, priority)
}

/**
 * A branch of these children in key order, or the nothing that is left when there are none.
 * Takes the map over: it must not be changed afterwards.
 */
export function branchOf(
  children: Map<string, TreeNode>,
  priority: Priority | ServerValue = null,
): Branch | null {
  return children.size === 0 ? null : new Branch(inKeyOrder(children), priority)
}

function inKeyOrder(children: Map<string, TreeNode>): Map<string, TreeNode> {
  let previous: string | undefined
  for (const key of children.keys()) {
    if (previous !== undefined && compareKeys(previous, key) > 0) {
      return new Map([...children].toSorted(([a], [b]) => compareKeys(a, b)))
    }
    previous = key
  }
  return children
}
