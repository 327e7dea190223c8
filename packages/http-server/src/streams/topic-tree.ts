import { pathKeys, splitPriorityPath } from '@elkyn/tree'
import type { Path } from '@elkyn/tree'

interface TreeNode<T> {
  readonly children: Map<string, TreeNode<T>>
  readonly items: Set<T>
}

/**
 * Things that stand at paths, found by a path that changes: those at it, above it and below it, all of one place together.
 * What stands elsewhere is not looked at.
 */
export class TopicTree<T> {
  readonly #root: TreeNode<T> = emptyNode()

  add(path: Path, item: T): void {
    let node = this.#root
    for (const key of pathKeys(path)) {
      let child = node.children.get(key)
      if (child === undefined) {
        child = emptyNode()
        node.children.set(key, child)
      }
      node = child
    }
    node.items.add(item)
  }

  delete(path: Path, item: T): void {
    const nodes = [this.#root]
    const keys = pathKeys(path)
    for (const key of keys) {
      const child = nodes.at(-1)!.children.get(key)
      if (child === undefined) return
      nodes.push(child)
    }
    nodes.at(-1)!.items.delete(item)
    for (let level = keys.length; level > 0; level--) {
      const { items, children } = nodes[level]!
      if (items.size > 0 || children.size > 0) return
      nodes[level - 1]!.children.delete(keys[level - 1]!)
    }
  }

  /**
   * Calls a function with those of each place at the path, above or below it, where there are any; a priority's place is
   * that of its node. As long as one of them stands there it is the same set.
   */
  concernedBy(path: Path, visit: (items: ReadonlySet<T>) => void): void {
    let node: TreeNode<T> | undefined = this.#root
    for (const key of pathKeys(splitPriorityPath(path).path)) {
      if (node.items.size > 0) visit(node.items)
      node = node.children.get(key)
      if (node === undefined) return
    }
    visitAll(node, visit)
  }
}

function emptyNode<T>(): TreeNode<T> {
  return { children: new Map(), items: new Set() }
}

function visitAll<T>(node: TreeNode<T>, visit: (items: ReadonlySet<T>) => void): void {
  if (node.items.size > 0) visit(node.items)
  for (const child of node.children.values()) visitAll(child, visit)
}
