import { TreeValue, priorityOf, toCanonical } from '@elkyn/tree'
import type { Priority, TreeNode } from '@elkyn/tree'
import { textAt } from './buffer-text.ts'
import { Head, Kind, decodeEntry, readHeadNumber } from './entry.ts'
import type { Entry } from './entry.ts'

/*
 * A leaf is one row however long it is, so that a row may have megabytes. Whether it is a leaf, and which priority it
 * has, its text says without being parsed.
 */

/** Stands for a leaf that is not worth reading for what lies below it, which is nothing. */
export const longLeaf: unique symbol = Symbol('long leaf')

const LONG_LEAF_BYTES = 4096

const openBracket = 0x5b
const openBrace = 0x7b

/** How a leaf with a priority begins, and what stands between the two. No string holds such quotation marks. */
const leafBegin = '{".value":'
const priorityBegin = ',".priority":'

/** As much of an entry as leads to what lies below it: the number of a head, whose priority may be long, or a row. */
export type Passed = number | TreeValue | typeof longLeaf | undefined

/** Reads that out of the first `size` bytes. */
export function decodePassed(bytes: Uint8Array, size: number): Passed {
  if (bytes[0] === Kind.head) return readHeadNumber(bytes, 1)
  if (size > LONG_LEAF_BYTES && beginsLeaf(bytes)) return longLeaf
  return passedOf(decodeEntry(bytes, size))
}

/** The same of an entry that is there. */
export function passedOf(entry: Entry | undefined): Passed {
  return entry instanceof Head ? entry.number : entry
}

function beginsLeaf(bytes: Uint8Array): boolean {
  const [kind, first] = bytes
  if (kind === Kind.plain) return first !== openBrace && first !== openBracket
  return kind === Kind.export && textAt(bytes, 1, 1 + leafBegin.length) === leafBegin
}

/** Whether a row is a leaf. */
export function isLeaf({ form, text }: TreeValue): boolean {
  if (form === 'export') return text.startsWith(leafBegin)
  const first = text.charCodeAt(0)
  return first !== openBrace && first !== openBracket
}

/** The priority of a row. */
export function priorityOfRow(row: TreeValue): number | string | null {
  if (row.form === 'plain') return null
  if (!isLeaf(row)) return storedPriority(row.node)
  const { text } = row
  const begin = text.lastIndexOf(priorityBegin) + priorityBegin.length
  return JSON.parse(text.slice(begin, -1)) as number | string
}

/** The same leaf with another priority. */
export function leafWithPriority({ form, text }: TreeValue, priority: Priority): TreeValue {
  const value =
    form === 'plain' ? text : text.slice(leafBegin.length, text.lastIndexOf(priorityBegin))
  if (priority === null) return TreeValue.fromCanonical(value, 'plain')
  const rank = toCanonical(priority, 'plain')
  return TreeValue.fromCanonical(`${leafBegin}${value}${priorityBegin}${rank}}`, 'export')
}

/** The priority of a node that is stored: resolved, so never a server value. */
export function storedPriority(node: TreeNode | null): number | string | null {
  const priority = priorityOf(node)
  return typeof priority === 'object' ? null : priority
}
