import { parsePath, pathKeys } from './path.ts'
import type { Path } from './path.ts'
import { parseField } from './query-field.ts'
import type { QueryField } from './query-field.ts'

/**
 * By which fields the children of which places are indexed: `{ '/users': ['age', 'address/city'] }`
 * for queries at `/users`. A part `*` of a place, or one that begins with `$` as in security rules,
 * stands for any key: `{ '/rooms/*': ['time'] }` for queries at `/rooms/lobby` and all its siblings.
 * Where several places fit, the indexes of all of them are there.
 */
export type IndexDefinitions = Readonly<Record<string, readonly string[]>>

/** One index of each place that a pattern fits. */
export interface IndexDefinition {
  /** The pattern in one spelling: `/rooms/*`. */
  readonly place: string
  /** Its parts; `*` stands for any key. */
  readonly keys: readonly string[]
  readonly field: QueryField
}

/** So many indexes there may be: each write below a place looks at all of that place. */
const maxDefinitions = 1000

/**
 * Checks definitions and lists the indexes that they come to, each once.
 *
 * @throws {TypeError} when they are no object of lists of strings.
 * @throws {RangeError} for `$key`, which needs none, and for more than 1,000.
 * @throws {TreeError} `ERR_INVALID_PATH` or `ERR_PATH_TOO_LONG` for a place or field that is no path.
 */
export function checkIndexDefinitions(definitions: IndexDefinitions): readonly IndexDefinition[] {
  const found = new Map<string, IndexDefinition>()
  for (const [pattern, fields] of Object.entries(definitions)) {
    const keys = patternKeys(pattern)
    const place = `/${keys.join('/')}`
    if (!Array.isArray(fields)) {
      throw new TypeError(`Cannot index ${place}: its fields must be a list of strings`)
    }
    for (const text of fields as readonly unknown[]) {
      const field = checkedField(place, text)
      // No key holds a control character.
      found.set(`${place}\n${field.name}`, { place, keys, field })
    }
  }
  if (found.size > maxDefinitions) {
    throw new RangeError(`Cannot index: ${found.size} indexes are more than ${maxDefinitions}`)
  }
  return [...found.values()]
}

/** Whether an index is one of a place. */
function isIndexOf({ keys }: IndexDefinition, place: readonly string[]): boolean {
  return (
    keys.length === place.length &&
    keys.every((part, depth) => part === anyKey || part === place[depth])
  )
}

/** The indexes among `definitions` that there are at a path. */
export function indexesAt<T extends IndexDefinition>(
  definitions: readonly T[],
  path: Path,
): readonly T[] {
  if (definitions.length === 0) return definitions
  const place = pathKeys(path)
  return definitions.filter((definition) => isIndexOf(definition, place))
}

const anyKey = '*'

function patternKeys(pattern: string): string[] {
  const parts = pattern.split('/').map((part) => (part.startsWith('$') ? anyKey : part))
  return pathKeys(parsePath(parts.join('/')))
}

function checkedField(place: string, text: unknown): QueryField {
  if (typeof text !== 'string') {
    throw new TypeError(`Cannot index ${place}: its fields must be a list of strings`)
  }
  const field = parseField(text)
  if (field.kind !== 'key') return field
  throw new RangeError(`Cannot index ${place} by "$key": a query by key needs no index`)
}
