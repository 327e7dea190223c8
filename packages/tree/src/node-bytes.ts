import { Branch, RankedLeaf, ServerValue } from './node.ts'
import type { Priority, TreeNode } from './node.ts'
import { leastShared } from './own-text.ts'

/*
 * What nodes take in the memory of V8, where a pointer has eight bytes. A map doubles its table when that is full, so a
 * member takes between 28 and 56 bytes of it; the table of a new map has room for four.
 */

/** A branch and the map of its children, without their part of its table. */
const branchBytes = 184
/** The part that a member has of a table. */
const memberBytes = 36
const rankedLeafBytes = 40
const serverValueBytes = 32
/** A number that is no integer of 32 bits is an object by itself. */
const numberBytes = 16
/** Of a text that is shorter than `leastShared`, and of one that `ownText()` has cut from another one, beside its units. */
const shortTextBytes = 24
const cutTextBytes = 52

/** Units that need two bytes, which all of a text then have. */
const wideUnit = /[\u0100-\uffff]/

/** About how many bytes of memory a node takes that was read of JSON, without its children. */
export function nodeBytes(node: TreeNode | null): number {
  if (node instanceof Branch) return branchBytes + partBytes(node.priority)
  if (node instanceof RankedLeaf) {
    return rankedLeafBytes + partBytes(node.value) + partBytes(node.priority)
  }
  return partBytes(node)
}

/** The same for a key, and the place of a child under it. */
export function keyBytes(key: string): number {
  return memberBytes + textBytes(key)
}

/** The same for a node with all that is below it. */
export function subtreeBytes(node: TreeNode | null): number {
  let bytes = nodeBytes(node)
  if (!(node instanceof Branch)) return bytes
  for (const [key, child] of node.children) bytes += keyBytes(key) + subtreeBytes(child)
  return bytes
}

function partBytes(part: Priority | boolean | ServerValue): number {
  if (typeof part === 'string') return textBytes(part)
  if (typeof part === 'number') return isSmallInteger(part) ? 0 : numberBytes
  return part instanceof ServerValue ? serverValueBytes + partBytes(part.increment ?? null) : 0
}

function textBytes(text: string): number {
  if (text.length < leastShared) return shortTextBytes
  return cutTextBytes + (wideUnit.test(text) ? 2 : 1) * text.length
}

/** Whether V8 keeps a number in the place of a pointer. */
function isSmallInteger(number: number): boolean {
  return (number | 0) === number
}
