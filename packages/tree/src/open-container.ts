import { branchOf } from './node-edit.ts'
import { RankedLeaf } from './node.ts'
import type { Leaf, Priority, ServerValue, TreeNode } from './node.ts'
import type { TextPlace } from './tokenizer.ts'

/** The value of a reserved member, and where its name stands. */
interface ReservedMember<Value> {
  readonly value: Value
  readonly at: TextPlace
}

/** The names that are not keys. */
export type ReservedName = '.priority' | '.sv' | '.value'

export function isReservedName(name: string): name is ReservedName {
  return name === '.priority' || name === '.value' || name === '.sv'
}

const start: TextPlace = { line: 1, column: 1 }

/** An object or array of which the end was not yet read. */
export class OpenContainer<Handle> {
  /** A child of the tree, or what a reserved member of that name holds. */
  readonly role: 'child' | ReservedName
  readonly isArray: boolean
  /** Number of keys above the container. */
  readonly depth: number

  /** The children that were read and not handed to a sink. */
  readonly children: Map<string, TreeNode> = new Map()
  /** About the bytes of memory that `children` take. */
  pendingBytes = 0
  /** Whether a server value was read in it, at any depth. */
  hasServerValue = false
  /** Set once the container went to a sink. From then on its children go there too. */
  handle: Handle | undefined

  priority: ReservedMember<Priority | ServerValue> | undefined
  leaf: ReservedMember<Leaf | ServerValue | null> | undefined
  serverValue: ReservedMember<ServerValue> | undefined

  /** Name of the member that is being read, or index of the item. */
  key = ''
  /** Where a reserved name stands that is being read. */
  reservedAt: TextPlace = start
  #nextIndex = 0

  constructor(role: 'child' | ReservedName, isArray: boolean, depth: number) {
    this.role = role
    this.isArray = isArray
    this.depth = depth
  }

  startItem(): void {
    this.key = String(this.#nextIndex++)
  }

  startReserved(name: ReservedName, { line, column }: TextPlace): void {
    this.key = name
    this.reservedAt = { line, column }
  }

  get hasChildren(): boolean {
    return this.children.size > 0 || this.handle !== undefined
  }

  /** What it comes to when nothing of it went to a sink. */
  toNode(): TreeNode | null {
    if (this.serverValue !== undefined) return this.serverValue.value
    const priority = this.priority?.value ?? null
    if (this.leaf === undefined) return branchOf(this.children, priority)
    const { value } = this.leaf
    return value === null || priority === null ? value : new RankedLeaf(value, priority)
  }
}
