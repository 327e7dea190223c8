import { compareKeys } from './key-order.ts'
import { Branch, RankedLeaf, childOf, nodeAt, priorityOf } from './node.ts'
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
  return withDescendant(node, keys, 0, value, undefined)
}

function withDescendant(
  node: TreeNode | null,
  keys: readonly string[],
  level: number,
  value: TreeNode | null,
  own: OwnBranches | undefined,
): TreeNode | null {
  const key = keys[level]
  if (key === undefined) return value
  const before = childOf(node, key)
  const after = withDescendant(before, keys, level + 1, value, own)
  if (after === before) return node
  if (!(node instanceof Branch)) {
    // Something came where nothing was, else `after` would be `before`.
    const children = new Map([[key, after as TreeNode]])
    return own ? own.create(children, priorityOf(node)) : new Branch(children, priorityOf(node))
  }
  if (own !== undefined) return own.withChild(node, key, after)
  const children = after === null ? without(node.children, key) : including(node, key, after)
  return children.size === 0 ? null : new Branch(children, node.priority)
}

/**
 * A tree that is edited many times before anybody sees it: each branch on the way is copied once, where
 * `withChild` would copy all siblings for each of them.
 */
export class NodeEdits {
  #node: TreeNode | null
  readonly #own = new OwnBranches()

  constructor(node: TreeNode | null) {
    this.#node = node
  }

  /** What lies there by now. Not to be kept: it may change with the next edit. */
  at(keys: readonly string[]): TreeNode | null {
    return nodeAt(this.#node, keys)
  }

  /** The same as `withChild` does. */
  set(keys: readonly string[], value: TreeNode | null): void {
    this.#node = withDescendant(this.#node, keys, 0, value, this.#own)
  }

  /** What came of it, which is not edited any more. */
  finish(): TreeNode | null {
    this.#own.release()
    return this.#node
  }
}

/**
 * Children of branches that nobody else has, so that they may be changed in place. Not the branches: one with another priority
 * has the same children.
 */
class OwnBranches {
  readonly #own = new Set<ReadonlyMap<string, TreeNode>>()
  /** Those that may not stand in key order. */
  readonly #unsorted = new Set<Map<string, TreeNode>>()

  create(children: Map<string, TreeNode>, priority: Priority | ServerValue): Branch {
    const branch = new Branch(children, priority)
    this.#own.add(children)
    return branch
  }

  /** The branch, or a copy where it is not an own one, with that child; `null` where none is left. */
  withChild(node: Branch, key: string, child: TreeNode | null): Branch | null {
    if (!this.#own.has(node.children)) {
      // In order, so that a single edit costs no more than it has to.
      const copy = child === null ? without(node.children, key) : including(node, key, child)
      return copy.size === 0 ? null : this.create(copy, node.priority)
    }
    const children = node.children as Map<string, TreeNode>
    if (child === null) children.delete(key)
    else {
      if (!children.has(key)) this.#unsorted.add(children)
      children.set(key, child)
    }
    return children.size === 0 ? null : node
  }

  /** Puts them in order, and lets go of them. */
  release(): void {
    for (const children of this.#unsorted) {
      const sorted = inKeyOrder(children)
      if (sorted === children) continue
      children.clear()
      for (const [key, child] of sorted) children.set(key, child)
    }
    this.#unsorted.clear()
    this.#own.clear()
  }
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
