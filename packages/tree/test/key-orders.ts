import { Branch } from '../src/node.ts'
import type { TreeNode } from '../src/node.ts'

/** The keys of each branch as they come, which the text of a node may put in order by itself. */
export function keyOrders(value: TreeNode | null): unknown {
  if (!(value instanceof Branch)) return null
  return [...value.children].map(([name, child]) => [name, keyOrders(child)])
}
