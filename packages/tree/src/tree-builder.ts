import { TreeError } from './errors.ts'
import type { TreeErrorCode } from './errors.ts'
import type { HeldValueLimit } from './held-value-limit.ts'
import { keyFault } from './key.ts'
import type { KeyFault } from './key.ts'
import { maxDepth, maxKeyBytes } from './limits.ts'
import { ServerValue } from './node.ts'
import type { Leaf, TreeNode } from './node.ts'
import { keyBytes, nodeBytes } from './node-bytes.ts'
import { numberFault } from './number.ts'
import { OpenContainer, isReservedName } from './open-container.ts'
import type { ReservedName } from './open-container.ts'
import { ownText } from './own-text.ts'
import { replaceServerValues } from './server-value.ts'
import type { JsonHandler, TextPlace } from './tokenizer.ts'
import type { TreeSink } from './tree-sink.ts'

export interface TreeBuilderOptions<Handle> {
  /** Number of keys in the path that the value will be written to. Default: 0. */
  readonly depth?: number
  /**
   * Makes the key of a member name before it is checked; reserved names and the paths of an update
   * stay as they are. Default: the name as it is.
   */
  readonly toKey?: (name: string) => string
  /** Takes what is too large to be held. Default: none, everything is held. */
  readonly sink?: TreeSink<Handle>
  /**
   * About how many bytes of memory nodes take before containers go to the sink, and then at most while they go there. That
   * is a little more than the length of long texts, and 20 to 90 times the JSON of containers with one member. Default: 2 MiB.
   */
  readonly maxPendingBytes?: number
  /** Counts the server values. Default: there may be any number. */
  readonly heldValues?: HeldValueLimit | undefined
}

/** A value that was read: a node, `null` for nothing, or the handle of what went to the sink. */
export type BuiltValue<Handle> =
  | { readonly node: TreeNode | null; readonly handle?: never }
  | { readonly handle: Handle; readonly node?: never }

/** What is held unless the options say otherwise: 2 MiB, which is 600 kB of JSON with ordinary records. */
export const defaultPendingBytes: number = 2 * 1024 * 1024

/**
 * Makes a node of the tokens of a JSON text. Checks all that a tree demands, drops nulls and what
 * is empty, and hands to a sink, while it reads, what would be too large to hold.
 *
 * Its methods throw `TreeError` with the place of the fault: `ERR_INVALID_KEY`, `ERR_TOO_DEEP`,
 * `ERR_INVALID_NUMBER`, `ERR_INVALID_PRIORITY`, `ERR_INVALID_SERVER_VALUE`, `ERR_INVALID_VALUE`,
 * `ERR_TOO_MANY_VALUES`.
 */
export class TreeBuilder<Handle = never> implements JsonHandler {
  readonly #depth: number
  readonly #toKey: ((name: string) => string) | undefined
  readonly #sink: TreeSink<Handle> | undefined
  readonly #maxPendingBytes: number
  readonly #heldValues: HeldValueLimit | undefined
  /** From the outermost open container to the innermost. Those with a handle come first. */
  readonly #stack: OpenContainer<Handle>[] = []
  /** The sum of their pending bytes, without those of {@link #leaving}. */
  #pendingBytes = 0
  /**
   * The innermost container with a handle, while it still holds children. They go to the sink a few at a time, with
   * those that come: all at once they would keep the thread for as long as a piece of the input that is as large.
   */
  #leaving: OpenContainer<Handle> | undefined
  #value: BuiltValue<Handle> = { node: null }
  #heldBytes = 0

  constructor(options: TreeBuilderOptions<Handle> = {}) {
    this.#depth = options.depth ?? 0
    this.#toKey = options.toKey
    this.#sink = options.sink
    this.#maxPendingBytes = options.maxPendingBytes ?? defaultPendingBytes
    this.#heldValues = options.heldValues
  }

  /** What was read, once the value has ended. */
  get value(): BuiltValue<Handle> {
    return this.#value
  }

  /** About how many bytes of memory a value takes that was read and is held. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  startObject(at: TextPlace): void {
    this.#startContainer(false, at)
  }

  startArray(at: TextPlace): void {
    this.#startContainer(true, at)
  }

  endObject(): void {
    this.#endContainer()
  }

  endArray(): void {
    this.#endContainer()
  }

  key(name: string, at: TextPlace): void {
    const container = this.#stack.at(-1) as OpenContainer<Handle>
    if (isReservedName(name)) container.startReserved(name, at)
    else container.key = this.#kept(this.#toKey === undefined ? name : this.#toKey(name))
    if (container.role !== 'child') this.#checkRoleKey(container)
    else if (!isReservedName(name)) this.#checkKey(container, at)
  }

  string(value: string, at: TextPlace): void {
    this.#startItem(at)
    this.#endLeaf(this.#kept(value))
  }

  number(literal: string, at: TextPlace): void {
    this.#startItem(at)
    const fault = numberFault(literal)
    if (fault !== undefined) this.#fail('ERR_INVALID_NUMBER', `a number ${fault}`, at)
    // Adding zero makes -0 an ordinary 0.
    this.#endLeaf(Number(literal) + 0)
  }

  word(value: boolean | null, at: TextPlace): void {
    this.#startItem(at)
    this.#endLeaf(value)
  }

  /** A text that does not keep the chunk that it came in: who has a sink holds little of much. */
  #kept(text: string): string {
    return this.#sink === undefined ? text : ownText(text)
  }

  #startItem(at: TextPlace): void {
    const parent = this.#stack.at(-1)
    if (parent?.isArray !== true) return
    parent.startItem()
    this.#checkDepth(parent, at)
  }

  #checkKey(container: OpenContainer<Handle>, at: TextPlace): void {
    const fault = keyFault(container.key)
    if (fault !== undefined) throw invalidKey(fault, at)
    this.#checkDepth(container, at)
  }

  #checkDepth(parent: OpenContainer<Handle>, at: TextPlace): void {
    if (parent.depth < maxDepth) return
    this.#fail('ERR_TOO_DEEP', `a path has more than ${maxDepth} keys`, at)
  }

  /** A reserved member holds no object but the one that stands for a server value. */
  #checkRoleKey(container: OpenContainer<Handle>): void {
    const only = container.role === '.sv' ? 'increment' : '.sv'
    if (container.key !== only) this.#failReserved(this.#stack.at(-2) as OpenContainer<Handle>)
  }

  #startContainer(isArray: boolean, at: TextPlace): void {
    this.#startItem(at)
    const parent = this.#stack.at(-1)
    if (parent === undefined) {
      this.#stack.push(new OpenContainer('child', isArray, this.#depth))
    } else if (!isReservedName(parent.key)) {
      if (parent.role === '.sv') this.#failReserved(this.#stack.at(-2) as OpenContainer<Handle>)
      this.#stack.push(new OpenContainer('child', isArray, parent.depth + 1))
    } else {
      if (isArray) this.#failReserved(parent)
      this.#stack.push(new OpenContainer(parent.key, isArray, parent.depth))
    }
  }

  #endLeaf(value: Leaf | null): void {
    const parent = this.#stack.at(-1)
    if (parent === undefined) this.#end(value, 0)
    else if (parent.role === '.sv') this.#endIncrement(parent, value)
    else if (isReservedName(parent.key)) this.#endReservedLeaf(parent, parent.key, value)
    else this.#endChild(parent, value, 0, false)
  }

  #endIncrement(container: OpenContainer<Handle>, value: Leaf | null): void {
    if (typeof value !== 'number') {
      return this.#failReserved(this.#stack.at(-2) as OpenContainer<Handle>)
    }
    const { reservedAt } = this.#stack.at(-2) as OpenContainer<Handle>
    container.serverValue = this.#serverValue(new ServerValue(value), reservedAt)
  }

  #endReservedLeaf(parent: OpenContainer<Handle>, name: ReservedName, value: Leaf | null): void {
    const at = parent.reservedAt
    if (name === '.value') parent.leaf = { value, at }
    else if (name === '.priority' && typeof value !== 'boolean') parent.priority = { value, at }
    else if (name === '.sv' && value === 'timestamp')
      this.#setServerValue(parent, this.#serverValue(new ServerValue(), at).value)
    else this.#failReserved(parent)
  }

  #serverValue(value: ServerValue, at: TextPlace): { value: ServerValue; at: TextPlace } {
    this.#heldValues?.add(at)
    return { value, at }
  }

  #setServerValue(parent: OpenContainer<Handle>, value: ServerValue): void {
    const at = parent.reservedAt
    parent.hasServerValue = true
    if (parent.key === '.value') parent.leaf = { value, at }
    else if (parent.key === '.priority') parent.priority = { value, at }
    else parent.serverValue = { value, at }
  }

  #endContainer(): void {
    const container = this.#stack.pop() as OpenContainer<Handle>
    const parent = this.#stack.at(-1)
    if (container.handle === undefined) this.#pendingBytes -= container.pendingBytes
    this.#checkReserved(container)
    if (container === this.#leaving) this.#handOver(Infinity)
    if (container.handle !== undefined) return this.#close(container, container.handle)
    const node = container.toNode()
    if (parent === undefined) this.#end(node, container.pendingBytes)
    else if (container.role === 'child') {
      this.#endChild(parent, node, container.pendingBytes, container.hasServerValue)
    } else if (node instanceof ServerValue) this.#setServerValue(parent, node)
    else this.#failReserved(parent)
  }

  #end(node: TreeNode | null, childrenBytes: number): void {
    this.#value = { node }
    this.#heldBytes = nodeBytes(node) + childrenBytes
  }

  #checkReserved({ serverValue, leaf, priority, hasChildren }: OpenContainer<Handle>): void {
    if (
      serverValue !== undefined &&
      (leaf !== undefined || priority !== undefined || hasChildren)
    ) {
      const text = 'a server value cannot have other members'
      this.#fail('ERR_INVALID_SERVER_VALUE', text, serverValue.at)
    }
    if (leaf !== undefined && hasChildren) {
      this.#fail('ERR_INVALID_VALUE', '".value" cannot stand together with children', leaf.at)
    }
  }

  #endChild(
    parent: OpenContainer<Handle>,
    node: TreeNode | null,
    childrenBytes: number,
    hasServerValue: boolean,
  ): void {
    const { handle } = parent
    if (handle !== undefined && (node === null || parent !== this.#leaving)) {
      // One of that name may be held, and one may be there already.
      parent.children.delete(parent.key)
      return this.#give(parent, handle, node, hasServerValue)
    }
    // Of two members with one name the last one holds, even when it is nothing.
    if (node === null) {
      parent.children.delete(parent.key)
      return
    }
    parent.children.set(parent.key, node)
    if (hasServerValue) parent.hasServerValue = true
    const cost = keyBytes(parent.key) + nodeBytes(node) + childrenBytes
    parent.pendingBytes += cost
    // With the one that has come as much again of what is held, which so comes to an end.
    if (handle !== undefined) return this.#handOver(2 * cost)
    this.#pendingBytes += cost
    if (this.#pendingBytes > this.#maxPendingBytes) this.#spill()
  }

  /** Hands containers to the sink, the outermost first, until little enough is held. */
  #spill(): void {
    if (this.#sink === undefined) return
    for (const [level, container] of this.#stack.entries()) {
      if (this.#pendingBytes <= this.#maxPendingBytes) return
      if (container.handle === undefined) this.#open(container, this.#stack[level - 1], this.#sink)
    }
  }

  #open(
    container: OpenContainer<Handle>,
    parent: OpenContainer<Handle> | undefined,
    sink: TreeSink<Handle>,
  ): void {
    // Before what is in one of its places now.
    this.#handOver(Infinity)
    container.handle = sink.open(parent?.handle, parent?.key ?? '')
    this.#pendingBytes -= container.pendingBytes
    this.#leaving = container
  }

  /** Hands so many bytes of children to the sink that are held by a container which it has. */
  #handOver(bytes: number): void {
    const container = this.#leaving
    if (container?.handle === undefined) return
    const { children, handle, hasServerValue } = container
    const sink = this.#sink as TreeSink<Handle>
    // On average: what each of them comes to was not kept.
    let left = Math.ceil((bytes / container.pendingBytes) * children.size)
    for (const [key, node] of children) {
      if (left-- <= 0) break
      container.pendingBytes -= container.pendingBytes / children.size
      children.delete(key)
      if (hasServerValue) putServerValues(sink, handle, key, node)
      else sink.put(handle, key, node)
    }
    if (children.size === 0) this.#leaving = undefined
  }

  #give(
    { key, isArray }: OpenContainer<Handle>,
    handle: Handle,
    node: TreeNode | null,
    hasServerValue: boolean,
  ): void {
    const sink = this.#sink as TreeSink<Handle>
    if (node === null) {
      // No two items of an array have one index, so nothing can be there that would have to go.
      if (!isArray) sink.delete(handle, key)
    } else if (hasServerValue) putServerValues(sink, handle, key, node)
    else sink.put(handle, key, node)
  }

  #close({ priority }: OpenContainer<Handle>, handle: Handle): void {
    const sink = this.#sink as TreeSink<Handle>
    let rank = priority?.value ?? null
    if (rank instanceof ServerValue) {
      sink.serverValue(handle, ['.priority'], rank)
      rank = standIn(rank)
    }
    const remains = sink.close(handle, rank)
    if (this.#stack.length === 0) this.#value = remains ? { handle } : { node: null }
  }

  #failReserved({ key, reservedAt }: OpenContainer<Handle>): never {
    if (key === '.priority') {
      const text = 'a priority is a number, a string or null'
      return this.#fail('ERR_INVALID_PRIORITY', text, reservedAt)
    }
    if (key === '.value') {
      const text = '".value" is a string, a number or a boolean'
      return this.#fail('ERR_INVALID_VALUE', text, reservedAt)
    }
    return this.#fail('ERR_INVALID_SERVER_VALUE', 'unrecognized server value', reservedAt)
  }

  #fail(code: TreeErrorCode, text: string, { line, column }: TextPlace): never {
    const path = `/${this.#stack.map(({ key }) => key).join('/')}`
    throw new TreeError(code, `Invalid data at ${line}:${column}: ${text}`, { line, column, path })
  }
}

/** The error for a member name that is no key. */
export function invalidKey(
  { tooLong, isControl = false }: Pick<KeyFault, 'tooLong' | 'isControl'>,
  { line, column }: TextPlace,
): TreeError {
  let text = "Key value can't be empty or contain $ # [ ] / or ."
  if (tooLong) text = `Key value can't be longer than ${maxKeyBytes} bytes`
  else if (isControl) text = "Key value can't contain ASCII control characters"
  return new TreeError(
    'ERR_INVALID_KEY',
    `Invalid data; couldn't parse key beginning at ${line}:${column}. ${text}`,
    { line, column },
  )
}

/** Puts a child with numbers in the places of its server values, and then reports these. */
function putServerValues<Handle>(
  sink: TreeSink<Handle>,
  handle: Handle,
  key: string,
  node: TreeNode,
): void {
  const reports: (() => void)[] = []
  const numbers = replaceServerValues(node, (value, keys) => {
    reports.push(() => sink.serverValue(handle, [key, ...keys], value))
    return standIn(value)
  })
  sink.put(handle, key, numbers)
  for (const report of reports) report()
}

function standIn({ increment }: ServerValue): number {
  return increment ?? 0
}
