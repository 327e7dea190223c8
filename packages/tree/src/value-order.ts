import { Branch, RankedLeaf } from './node.ts'
import type { Priority, TreeNode } from './node.ts'

/**
 * Orders values as a query by value or by child does: nothing, `false`, `true`, numbers, strings
 * by UTF-16 unit, branches. All branches are equal; the keys of the children decide between equal
 * values.
 */
export function compareValues(a: TreeNode | null, b: TreeNode | null): number {
  const left = a instanceof RankedLeaf ? a.value : a
  const right = b instanceof RankedLeaf ? b.value : b
  return valueRank(left) - valueRank(right) || compareAlike(left, right)
}

/** Orders priorities: none, numbers, strings by UTF-16 unit. */
export function comparePriorities(a: Priority, b: Priority): number {
  return valueRank(a) - valueRank(b) || compareAlike(a, b)
}

function valueRank(value: TreeNode | null): number {
  if (value === null) return 0
  if (value === false) return 1
  if (value === true) return 2
  if (typeof value === 'number') return 3
  if (typeof value === 'string') return 4
  if (value instanceof Branch) return 5
  throw new TypeError('Cannot order a server value: it is not computed yet')
}

function compareAlike(a: TreeNode | null, b: TreeNode | null): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a !== 'string' || typeof b !== 'string' || a === b) return 0
  return a < b ? -1 : 1
}
