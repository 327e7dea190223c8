import { branchOf } from '../node-edit.ts'
import { Branch, RankedLeaf } from '../node.ts'
import type { Leaf, TreeNode } from '../node.ts'
import { childPath, rootPath } from '../path.ts'
import type { Path } from '../path.ts'
import type { TreeView } from '../store.ts'

// Few enough that writes often meet, and each of them once caused a bug somewhere.
const keys: readonly string[] = [
  'a b c d ab name 0 1 2 3 10 -1 -0 00 01 3000000000 __proto__ constructor é 😀 "\\'.split(' '),
  'with space',
  'k'.repeat(300),
].flat()

const leaves: readonly Leaf[] = [
  [0, 1, -1, 1.5, 1e21, 2 ** 53, -5e-324, true, false],
  ['', 'x', 'null', '"', '\\', '\n', '\u007f', 'é', '😀', ']', '}', ',"a":1', '{"a":1}'],
  ['x'.repeat(40), 'long '.repeat(120)],
].flat()

/** Chance that can be repeated: mulberry32, by Tommy Ettinger. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** From 0 up to, not including, `end`. */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((((bits ^ (bits >>> 14)) >>> 0) * end) / 2 ** 32) | 0
  }

  /** True in so many of a hundred cases. */
  percent(share: number): boolean {
    return this.below(100) < share
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item
  }

  key(): string {
    return this.pick(keys)
  }

  priority(): number | string {
    return this.pick([0, 1, -2.5, 'p', '', '10'])
  }

  /** A node; the deeper it stands, the sooner it is a leaf. */
  node(depth = 0): TreeNode {
    if (depth > 3 || this.percent(30 + 10 * depth)) {
      const leaf = this.pick(leaves)
      return this.percent(10) ? new RankedLeaf(leaf, this.priority()) : leaf
    }
    const children = new Map<string, TreeNode>()
    const count = 1 + this.below(this.percent(10) ? 40 : 6)
    const isList = this.percent(25)
    for (let index = 0; index < count; index++) {
      if (!isList) children.set(this.percent(80) ? this.key() : `${index}`, this.node(depth + 1))
      else if (this.percent(85)) children.set(`${index}`, this.node(depth + 1))
    }
    const branch = branchOf(children, this.percent(10) ? this.priority() : null)
    return branch ?? new Branch(new Map([['0', true]]))
  }

  /** A path that mostly leads to or just beside something that is there. */
  path(view: TreeView): Path {
    let path: Path = rootPath
    for (let length = this.pick([0, 1, 1, 2, 2, 3, 4, 5]); length > 0; length--) {
      const existing = this.percent(70) ? [...view.keys(path)] : []
      path = childPath(path, existing.length > 0 ? this.pick(existing) : this.key())
    }
    return path
  }
}
