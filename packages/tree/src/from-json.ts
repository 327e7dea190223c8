import { TreeError } from './errors.ts'
import { canonicalOfJson } from './json-text.ts'
import { maxDepth } from './limits.ts'
import { isPriorityPath, pathDepth } from './path.ts'
import type { Path } from './path.ts'
import { parseJson } from './parse.ts'
import type { ParseJsonOptions, UpdateMember } from './parse.ts'
import { isPlainObject } from './plain-object.ts'
import { isPriority } from './tree-at.ts'
import { TreeValue } from './tree-value.ts'
import { checkConflicts, inWriteOrder, parseUpdatePath } from './update-path.ts'

// What reserved names add to the levels of a tree, as in `{".priority":{".sv":{"increment":1}}}`.
const reservedLevels = 3

/**
 * Makes a value to be written of a JavaScript value, as `parseJson` does of the text that
 * `JSON.stringify` makes of it, except that numbers that are not finite are refused, and objects
 * that say nothing of how they are written: only plain ones and those with a `toJSON` do.
 *
 * @throws {TreeError} as `parseJson`, where line and column are those of that text.
 * @throws {TypeError} for `undefined`, functions, promises, maps, instances of other classes,
 * cycles and whatever else is no JSON.
 */
export function fromJson(json: unknown, options: ParseJsonOptions = {}): TreeValue {
  const { depth = 0 } = options
  const text = canonicalOfJson(json, depth)
  if (text !== undefined) return TreeValue.fromCanonical(text, 'plain')
  const source: string | undefined = JSON.stringify(json, jsonChecker(depth))
  if (source === undefined) throw new TypeError(`Cannot store ${typeof json}: it is not JSON`)
  return parseJson(source, options)
}

/**
 * Makes an update of a JavaScript object whose member names are paths, as `parseUpdate` does of
 * JSON text: its members, in an order in which they can be written one after the other.
 *
 * @param options `depth` is that of the path that the names start from.
 * @throws {TreeError} as {@link fromJson} for the values and `parsePath` for the names, and
 * `ERR_INVALID_PATH` for a name without a key, `ERR_TOO_DEEP`, `ERR_INVALID_PRIORITY`, and
 * `ERR_PATH_CONFLICT` when two names lead to one place or through one another.
 * @throws {TypeError} for what is no plain object, and as {@link fromJson}.
 */
export function updateOf(
  members: Readonly<Record<string, unknown>>,
  options: ParseJsonOptions = {},
): readonly UpdateMember[] {
  if (!isPlainObject(members))
    throw new TypeError('Cannot update: the members are not a plain object')
  const { depth = 0 } = options
  const update = Object.entries(members).map(([name, value]) => {
    const path = parseUpdatePath(name)
    return { path, value: memberValue(value, path, depth + pathDepth(path)) }
  })
  checkConflicts(update.map(({ path }) => path))
  return inWriteOrder(update, ({ value }) => value.isNull)
}

function memberValue(json: unknown, path: Path, depth: number): TreeValue {
  if (depth > maxDepth) {
    const text = `Invalid data: path '${path}' leads to more than ${maxDepth} keys`
    throw new TreeError('ERR_TOO_DEEP', text, { path })
  }
  const value = fromJson(json, { depth })
  if (isPriorityPath(path) && !isPriority(value.node)) {
    const text = `Invalid data: '${path}' is a priority, a number, a string or null`
    throw new TreeError('ERR_INVALID_PRIORITY', text, { path })
  }
  return value
}

/** A function for `JSON.stringify` that refuses what would be lost, or is too deep to go through. */
function jsonChecker(depth: number): (this: unknown, key: string, value: unknown) => unknown {
  const mostOpen = maxDepth - depth + reservedLevels + 1
  /** The containers that are being written, from the outermost. */
  const open: unknown[] = []
  return function check(key, value) {
    while (open.length > 0 && open.at(-1) !== this && open.includes(this)) open.pop()
    if (open.at(-1) !== this) open.push(this)
    if (open.length > mostOpen) {
      throw new TreeError('ERR_TOO_DEEP', `Invalid data: a path has more than ${maxDepth} keys`)
    }
    checkValue(key, value)
    return value
  }
}

function checkValue(key: string, value: unknown): void {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new TreeError('ERR_INVALID_NUMBER', `Invalid data: ${value} at "${key}" is not finite`)
  }
  if (typeof value === 'function' || typeof value === 'symbol') {
    throw new TypeError(`Cannot store the ${typeof value} at "${key}": it is not JSON`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return
  if (isPlainObject(value) && !isThenable(value)) return
  throw new TypeError(`Cannot store the object at "${key}": it is neither plain nor has a toJSON()`)
}

function isThenable(value: object): boolean {
  return 'then' in value && typeof value.then === 'function'
}
