import { TreeError } from './errors.ts'
import { nodeAt } from './node.ts'
import type { TreeNode } from './node.ts'
import { parsePath, pathKeys, rootPath } from './path.ts'
import { indexPriorityOf, indexValueOf } from './value-order.ts'
import type { IndexValue } from './value-order.ts'

/** Something of a child that it can be ordered by. */
export interface QueryField {
  /** `$key`, `$value`, `$priority`, or the path in canonical form without a slash before it. */
  readonly name: string
  readonly kind: 'key' | 'value' | 'priority' | 'child'
  /** Keys that lead from the child to the value; none but for a path. */
  readonly keys: readonly string[]
}

const fields: ReadonlyMap<string, QueryField> = new Map([
  ['$key', { name: '$key', kind: 'key', keys: [] }],
  ['$value', { name: '$value', kind: 'value', keys: [] }],
  ['$priority', { name: '$priority', kind: 'priority', keys: [] }],
])

/**
 * @throws {TreeError} `ERR_INVALID_PATH`, `ERR_PATH_TOO_LONG` when it is none of the words and no path.
 * @throws {TypeError} for what is no text, such as an `orderBy` that was left out.
 */
export function parseField(text: string): QueryField {
  if (typeof text !== 'string') {
    throw new TypeError(
      `Cannot look at ${String(text)} of a child: a field is a text, such as "$key"`,
    )
  }
  const special = fields.get(text)
  if (special !== undefined) return special
  const path = parsePath(text)
  if (path === rootPath) {
    throw new TreeError(
      'ERR_INVALID_PATH',
      `Cannot look at "${text}" of a child: it is not a path below that. For the child itself, use "$value"`,
      { path: text },
    )
  }
  return { name: path.slice(1), kind: 'child', keys: pathKeys(path) }
}

/** What a field of a child counts as. */
export function fieldOf(key: string, child: TreeNode | null, field: QueryField): IndexValue {
  if (field.kind === 'key') return key
  if (field.kind === 'priority') return indexPriorityOf(child)
  return indexValueOf(nodeAt(child, field.keys))
}
