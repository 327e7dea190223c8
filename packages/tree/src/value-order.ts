import { Branch, RankedLeaf, ServerValue, priorityOf } from './node.ts'
import type { Leaf, TreeNode } from './node.ts'

/** What a field of a child counts as in an order: a leaf, `null` for nothing, or {@link anyBranch}. */
export type IndexValue = Leaf | null | AnyBranch

/** All branches are equal in an order: they count as the empty object. */
export type AnyBranch = Readonly<Record<string, never>>

export const anyBranch: AnyBranch = Object.freeze({})

/**
 * Orders what children are ordered by: nothing, `false`, `true`, numbers, strings by UTF-16 unit,
 * branches, all of which are equal. It is the order of priorities too.
 */
export function compareIndexValues(a: IndexValue, b: IndexValue): number {
  const kind = kindOf(a)
  const difference = kind - kindOf(b)
  if (difference !== 0 || kind === Kind.nothing || kind === Kind.branch) return difference
  if (a === b) return 0
  return (a as Leaf) < (b as Leaf) ? -1 : 1
}

/** Whether two values are of one kind: both numbers, both strings, both booleans, and so on. */
export function isSameKind(a: IndexValue, b: IndexValue): boolean {
  return kindOf(a) === kindOf(b)
}

/** What a node counts as in an order. */
export function indexValueOf(node: TreeNode | null): IndexValue {
  if (node instanceof Branch) return anyBranch
  const value = node instanceof RankedLeaf ? node.value : node
  // A server value stands in writes only; whoever looks there takes it for nothing.
  if (value instanceof ServerValue) return null
  return typeof value === 'number' ? value + 0 : value
}

/** What the priority of a node counts as in an order. */
export function indexPriorityOf(node: TreeNode | null): IndexValue {
  const priority = priorityOf(node)
  return priority instanceof ServerValue ? null : priority
}

const Kind = { nothing: 0, boolean: 1, number: 2, string: 3, branch: 4 } as const

function kindOf(value: IndexValue): number {
  if (typeof value === 'object') return value === null ? Kind.nothing : Kind.branch
  return Kind[typeof value as 'boolean' | 'number' | 'string']
}
