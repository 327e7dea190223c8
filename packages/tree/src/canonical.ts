import { Branch, RankedLeaf, ServerValue, noNode } from './node.ts'
import type { TreeNode } from './node.ts'
import type { JsonForm } from './store.ts'

/**
 * The one JSON text of a node: children in key order, no white space, numbers as ECMAScript writes
 * them. In `plain` form arrays appear and priorities are hidden, in `export` form the reverse.
 * Equal nodes have equal text, whatever their history.
 */
export function toCanonical(node: TreeNode | null, form: JsonForm): string {
  if (node === null) return 'null'
  return form === 'plain' ? plainText(node) : exportText(node)
}

function plainText(node: TreeNode): string {
  if (typeof node === 'string') return quote(node)
  // Adding zero makes -0 the 0 that JSON.stringify would write.
  if (typeof node === 'number' && Number.isFinite(node)) return `${node + 0}`
  if (node instanceof Branch) return joinChildren(node.children, plainText)
  if (node instanceof RankedLeaf) return plainText(node.value)
  if (node instanceof ServerValue) return serverValueText(node)
  if (typeof node === 'boolean') return `${node}`
  throw noNode(node)
}

/**
 * The canonical plain text of a node from those of its children: an array or an object, whichever
 * their keys make. The children come in key order, and there is at least one.
 */
export function joinChildren<Child>(
  children: ReadonlyMap<string, Child>,
  textOf: (child: Child) => string,
): string {
  return isArrayLike(children) ? joinArray(children, textOf) : joinObject(children, textOf)
}

function joinObject<Child>(
  children: ReadonlyMap<string, Child>,
  textOf: (child: Child) => string,
): string {
  let text = ''
  for (const [key, child] of children) {
    text += (text === '' ? '{' : ',') + quote(key) + ':' + textOf(child)
  }
  return text + '}'
}

function joinArray<Child>(
  children: ReadonlyMap<string, Child>,
  textOf: (child: Child) => string,
): string {
  let text = ''
  let index = 0
  for (const [key, child] of children) {
    for (const end = Number(key); index < end; index++) text += text === '' ? '[null' : ',null'
    text += (text === '' ? '[' : ',') + textOf(child)
    index++
  }
  return text + ']'
}

/**
 * Whether children, given in key order, are rendered as an array: all keys are integers from 0
 * without leading zeros, and the largest is less than twice their number.
 */
export function isArrayLike(children: {
  readonly size: number
  keys(): Iterable<string>
}): boolean {
  let last = '0'
  for (const key of children.keys()) {
    if (!isIndexKey(key)) return false
    last = key
  }
  return fillArray(children.size, last)
}

/** Whether so many children whose keys are indices, this one the last, are enough for an array. */
export function fillArray(size: number, last: string): boolean {
  // More digits than any number of children has would only lose precision here, not the answer.
  return Number(last) < 2 * size
}

/** Whether a key is an integer from 0 as JSON writes it: no sign, no leading zeros. */
export function isIndexKey(key: string): boolean {
  const first = key.charCodeAt(0)
  if (first < 0x31 || first > 0x39) return key === '0'
  for (let index = 1; index < key.length; index++) {
    const unit = key.charCodeAt(index)
    if (unit < 0x30 || unit > 0x39) return false
  }
  return true
}

function exportText(node: TreeNode): string {
  if (node instanceof Branch) {
    let text = ''
    if (node.priority !== null) text = '{".priority":' + plainText(node.priority)
    for (const [key, child] of node.children) {
      text += (text === '' ? '{' : ',') + quote(key) + ':' + exportText(child)
    }
    return text + '}'
  }
  if (node instanceof RankedLeaf) {
    return `{".value":${plainText(node.value)},".priority":${plainText(node.priority)}}`
  }
  return plainText(node)
}

function serverValueText({ increment }: ServerValue): string {
  return increment === undefined
    ? '{".sv":"timestamp"}'
    : `{".sv":{"increment":${plainText(increment)}}}`
}

// oxlint-disable-next-line no-control-regex -- JSON escapes control characters
const needsEscape = /["\\\u0000-\u001f\ud800-\udfff]/

/** The text as a JSON string. */
export function quote(text: string): string {
  return needsEscape.test(text) ? JSON.stringify(text) : `"${text}"`
}
