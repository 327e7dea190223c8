import { isCanonicalText } from './canonical-text.ts'
import { canonicalOfJson } from './json-text.ts'
import { maxDepth } from './limits.ts'
import { parseNativeJson } from './native-json.ts'
import { isPriorityPath, pathDepth } from './path.ts'
import type { Path } from './path.ts'
import { JsonTokenizer } from './tokenizer.ts'
import type { JsonHandler } from './tokenizer.ts'
import { TreeBuilder } from './tree-builder.ts'
import { TreeValue } from './tree-value.ts'
import { UpdateBuilder } from './update-builder.ts'
import { checkConflicts, inWriteOrder, parseUpdatePath } from './update-path.ts'

export interface ParseJsonOptions {
  /** Number of keys in the path that the value will be written to. Default: 0. */
  readonly depth?: number
}

/** One member of an update. */
export interface UpdateMember {
  /** Where it leads from the place of the update. May end in `.priority`. */
  readonly path: Path
  readonly value: TreeValue
}

/**
 * Reads JSON from outside as a value to be written: `null`, `{}` and `[]` inside it go, arrays
 * become branches, `.value`, `.priority` and `.sv` become what they stand for. Of two members of
 * one name the last one holds, and the other may go unchecked. Bytes have to be UTF-8.
 *
 * @throws {TreeError} with line and column: `ERR_JSON_SYNTAX`, `ERR_INVALID_KEY`, `ERR_TOO_DEEP`,
 * `ERR_INVALID_NUMBER` (not finite, or an integer that would be rounded), `ERR_INVALID_STRING`
 * (half of a surrogate pair, not UTF-8), `ERR_STRING_TOO_LARGE`, `ERR_INVALID_PRIORITY`,
 * `ERR_INVALID_SERVER_VALUE`, `ERR_INVALID_VALUE`.
 */
export function parseJson(input: string | Uint8Array, options: ParseJsonOptions = {}): TreeValue {
  const { depth = 0 } = options
  const source = textOf(input)
  if (source !== undefined && isCanonicalText(source, depth)) {
    return TreeValue.fromCanonical(source, 'plain')
  }
  const json = parseNatively(source)
  const text = json && canonicalOfJson(json.value, depth)
  if (text !== undefined) return TreeValue.fromCanonical(text, 'plain')
  const builder = new TreeBuilder({ depth })
  tokenize(input, builder)
  return TreeValue.fromNode(builder.value.node ?? null)
}

/**
 * Reads the JSON of an update, whose member names are paths, as of a `PATCH`: `null` for the word
 * `null`, else the members, in an order in which they can be written one after the other.
 *
 * @param options `depth` is that of the path that the names start from.
 * @throws {TreeError} as {@link parseJson}, and `ERR_NOT_AN_OBJECT`, `ERR_PATH_TOO_LONG`, and
 * `ERR_PATH_CONFLICT` when two names lead to one place or through one another.
 */
export function parseUpdate(
  input: string | Uint8Array,
  options: ParseJsonOptions = {},
): readonly UpdateMember[] | null {
  const { depth = 0 } = options
  const members = updateOfJson(parseNatively(textOf(input))?.value, depth)
  if (members !== undefined) {
    checkConflicts(members.map(({ path }) => path))
    return inWriteOrder(members, ({ value }) => value.isNull)
  }
  const builder = new UpdateBuilder({ depth })
  tokenize(input, builder)
  const built = builder.members()
  return (
    built &&
    built.map(({ path, value }) => ({ path, value: TreeValue.fromNode(value.node ?? null) }))
  )
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The input as text; `undefined` when it is not UTF-8. */
function textOf(input: string | Uint8Array): string | undefined {
  if (typeof input === 'string') return input
  try {
    return decoder.decode(input)
  } catch {
    return undefined
  }
}

/**
 * What `JSON.parse` makes of the input; `undefined` when that is not to be had. It is several times
 * faster than our own reading, but says too little about what is wrong, and rounds numbers.
 */
function parseNatively(text: string | undefined): { readonly value: unknown } | undefined {
  if (text === undefined) return undefined
  try {
    return parseNativeJson(text)
  } catch {
    return undefined
  }
}

/** The members of an update that is plain and clean; `undefined` when it has to be looked at closer. */
function updateOfJson(json: unknown, depth: number): UpdateMember[] | undefined {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined
  const members: UpdateMember[] = []
  for (const [name, value] of Object.entries(json)) {
    const path = tryUpdatePath(name)
    const text = path && memberText(value, path, depth + pathDepth(path))
    if (text === undefined) return undefined
    members.push({ path: path as Path, value: TreeValue.fromCanonical(text, 'plain') })
  }
  return members
}

function tryUpdatePath(name: string): Path | undefined {
  try {
    return parseUpdatePath(name)
  } catch {
    return undefined
  }
}

function memberText(value: unknown, path: Path, depth: number): string | undefined {
  if (depth > maxDepth) return undefined
  if (isPriorityPath(path) && (typeof value === 'object' || typeof value === 'boolean')) {
    return value === null ? 'null' : undefined
  }
  return canonicalOfJson(value, depth)
}

function tokenize(input: string | Uint8Array, handler: JsonHandler): void {
  const tokenizer = new JsonTokenizer(handler)
  tokenizer.write(input)
  tokenizer.end()
}
