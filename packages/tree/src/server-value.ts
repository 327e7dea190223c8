import { TreeError } from './errors.ts'
import { Branch, RankedLeaf, ServerValue, hasServerValue, priorityOf } from './node.ts'
import type { TreeNode } from './node.ts'

/**
 * The node with each server value replaced by what it comes to. `timestamp` becomes `now`;
 * `increment` becomes the number that `current` finds there plus the increment, or the increment
 * alone where no number is. Sums are sums of doubles, so that integers stay integers up to 2^53.
 *
 * @param now Milliseconds since 1970.
 * @param current Gives the node at a place below `node`, as it was before the write.
 * @throws {TreeError} `ERR_INVALID_NUMBER` when a sum is not finite.
 */
export function resolveServerValues(
  node: TreeNode,
  now: number,
  current: (keys: readonly string[]) => TreeNode | null,
): TreeNode {
  return replaceServerValues(node, ({ increment }, keys) => {
    if (increment === undefined) return now
    const before =
      keys.at(-1) === '.priority' ? priorityOf(current(keys.slice(0, -1))) : leafOf(current(keys))
    return typeof before === 'number' ? sum(before, increment) : increment
  })
}

function leafOf(node: TreeNode | null): TreeNode | null {
  return node instanceof RankedLeaf ? node.value : node
}

function sum(before: number, increment: number): number {
  // Adding zero makes -0 an ordinary 0.
  const result = before + increment + 0
  if (Number.isFinite(result)) return result
  throw new TreeError(
    'ERR_INVALID_NUMBER',
    `Cannot increment ${before} by ${increment}: the sum is not finite`,
  )
}

/**
 * The node with each server value replaced by a number. The keys lead from `node` to the server
 * value and end in `.priority` where it is a priority. What holds none is shared.
 */
export function replaceServerValues(
  node: TreeNode,
  replace: (value: ServerValue, keys: readonly string[]) => number,
): TreeNode {
  return hasServerValue(node) ? replaced(node, [], replace) : node
}

type Replace = (value: ServerValue, keys: readonly string[]) => number

function replaced(node: TreeNode, keys: readonly string[], replace: Replace): TreeNode {
  if (node instanceof ServerValue) return replace(node, keys)
  if (node instanceof RankedLeaf) {
    return new RankedLeaf(
      part(node.value, keys, replace),
      part(node.priority, [...keys, '.priority'], replace),
    )
  }
  if (!(node instanceof Branch)) return node
  const children = new Map<string, TreeNode>()
  for (const [key, child] of node.children) {
    children.set(key, replaced(child, [...keys, key], replace))
  }
  return new Branch(children, part(node.priority, [...keys, '.priority'], replace))
}

function part<Part>(
  value: Part | ServerValue,
  keys: readonly string[],
  replace: Replace,
): Part | number {
  return value instanceof ServerValue ? replace(value, keys) : value
}
