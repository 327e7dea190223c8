/** A value without children: what JSON calls a string, number, `true` or `false`. */
export type Leaf = string | number | boolean

/** Rank that a node may carry beside its value; `null` is none. */
export type Priority = number | string | null

/**
 * A value of the tree in memory. Immutable: a change makes new nodes along its path and shares
 * the rest. "Nothing" is `null` and never appears inside a {@link Branch}.
 */
export type TreeNode = Leaf | RankedLeaf | Branch | ServerValue

/** A leaf that carries a priority. One without is the plain JavaScript value. */
export class RankedLeaf {
  readonly value: Leaf | ServerValue
  readonly priority: number | string | ServerValue

  constructor(value: Leaf | ServerValue, priority: number | string | ServerValue) {
    this.value = value
    this.priority = priority
  }
}

/** A node with at least one child. Children iterate in key order. */
export class Branch {
  readonly children: ReadonlyMap<string, TreeNode>
  readonly priority: Priority | ServerValue

  constructor(children: ReadonlyMap<string, TreeNode>, priority: Priority | ServerValue = null) {
    this.children = children
    this.priority = priority
  }
}

/**
 * A value that the store computes when it applies the write. Exists only in writes: a snapshot
 * never contains one.
 */
export class ServerValue {
  /** `undefined` stands for the time of the write, a number for "the number there plus this". */
  readonly increment: number | undefined

  constructor(increment?: number) {
    this.increment = increment
  }
}

/** The child of that name; `null` where nothing is. */
export function childOf(node: TreeNode | null, key: string): TreeNode | null {
  return node instanceof Branch ? (node.children.get(key) ?? null) : null
}

/** What lies at the end of `keys` below `node`; `null` where nothing is. */
export function nodeAt(node: TreeNode | null, keys: readonly string[]): TreeNode | null {
  let found = node
  for (const key of keys) {
    if (!(found instanceof Branch)) return null
    found = found.children.get(key) ?? null
  }
  return found
}

/** The priority of a node; `null` where it has none, or nothing is. */
export function priorityOf(node: TreeNode | null): Priority | ServerValue {
  return node instanceof Branch || node instanceof RankedLeaf ? node.priority : null
}

/** Whether the node or anything below it carries a priority. */
export function hasPriority(node: TreeNode | null): boolean {
  if (node instanceof RankedLeaf) return true
  if (!(node instanceof Branch)) return false
  if (node.priority !== null) return true
  for (const child of node.children.values()) {
    if (typeof child === 'object' && hasPriority(child)) return true
  }
  return false
}

/** Whether the node or anything below it is still to be computed by the store. */
export function hasServerValue(node: TreeNode | null): boolean {
  if (node instanceof ServerValue) return true
  if (node instanceof RankedLeaf) {
    return node.value instanceof ServerValue || node.priority instanceof ServerValue
  }
  if (!(node instanceof Branch)) return false
  if (node.priority instanceof ServerValue) return true
  for (const child of node.children.values()) {
    if (typeof child === 'object' && hasServerValue(child)) return true
  }
  return false
}

/** Whether two nodes hold the same values and priorities. */
export function nodesEqual(a: TreeNode | null, b: TreeNode | null): boolean {
  if (a === b) return true
  if (a instanceof Branch) return b instanceof Branch && branchesEqual(a, b)
  if (a instanceof RankedLeaf) {
    return (
      b instanceof RankedLeaf && partsEqual(a.value, b.value) && partsEqual(a.priority, b.priority)
    )
  }
  return partsEqual(a, b)
}

function branchesEqual(a: Branch, b: Branch): boolean {
  if (a.children.size !== b.children.size || !partsEqual(a.priority, b.priority)) return false
  for (const [key, child] of a.children) {
    if (!nodesEqual(child, b.children.get(key) ?? null)) return false
  }
  return true
}

function partsEqual(a: TreeNode | null, b: TreeNode | null): boolean {
  if (a === b) return true
  return a instanceof ServerValue && b instanceof ServerValue && a.increment === b.increment
}

/** @throws {TypeError} for what is no node, or holds something that is none. */
export function checkNode(node: TreeNode): void {
  if (node instanceof Branch) {
    for (const child of node.children.values()) checkNode(child)
    if (node.priority !== null) checkNode(node.priority)
  } else if (node instanceof RankedLeaf) {
    checkNode(node.value)
    checkNode(node.priority)
  } else if (node instanceof ServerValue) {
    if (node.increment !== undefined) checkNode(node.increment)
  } else if (!isLeaf(node)) throw noNode(node)
}

function isLeaf(node: Leaf): boolean {
  return typeof node === 'number'
    ? Number.isFinite(node)
    : typeof node === 'string' || typeof node === 'boolean'
}

/** Programs without types give anything, or a class of another copy of this package. */
export function noNode(value: unknown): TypeError {
  const name =
    typeof value === 'object' && value !== null
      ? ((value.constructor as Function | undefined)?.name ?? 'object')
      : String(value)
  return new TypeError(`Invalid node ${name}: make one with parseJson() or fromJson()`)
}
