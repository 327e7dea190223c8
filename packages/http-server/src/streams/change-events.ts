import {
  TreeValue,
  eventIdInside,
  isAncestor,
  isPriorityPath,
  locate,
  nodeAt,
  pathKeys,
  relativePath,
  rootPath,
} from '@elkyn/tree'
import type { Change, ChangePair, JsonForm, Path } from '@elkyn/tree'
import { isUpdateElsewhere } from './stream-target.ts'
import type { Written } from './stream-target.ts'

/** What a change means to those who watch one path. */
export interface ChangeEvent {
  readonly name: 'put' | 'patch'
  /** `{"path":…,"data":…}` */
  readonly json: string
  readonly id: string
}

/** What is told of a change. */
export interface PartOfChange {
  /** How many of its pairs were told before. Default: none. */
  readonly from?: number
  /** Those of the pairs at, above or below the path, in order. Default: it is looked which they are. */
  readonly indexes?: readonly number[] | undefined
  /** Whether many are told of it, each another part: then values are parsed, once for all of them. Default: false. */
  readonly isForMany?: boolean
}

/**
 * Longest text of the events of one change, in UTF-16 units. The log limits the values of a change, but not their paths, and
 * however slow a client is, what is told of a change goes to it at once.
 */
const maxToldLength = 2 * 1024 * 1024

/** The pair of a change with its place in it. */
interface Placed {
  readonly path: Path
  readonly value: TreeValue
  /** How many pairs of the change are done with it. */
  readonly done: number
}

/**
 * What a change means to those who watch `path`: none where it is elsewhere, `undefined` where it does
 * not carry a value that would have to be told, or there is too much to tell. The events of a change are to be sent together.
 *
 * @param form In which values are shown. Priorities that are set by themselves show in `export` only.
 */
export function changeEvents(
  change: Pick<Change, 'id' | keyof Written>,
  path: Path,
  form: JsonForm,
  { from = 0, indexes, isForMany = false }: PartOfChange = {},
): readonly ChangeEvent[] | undefined {
  if (isUpdateElsewhere(change, path)) return []
  const part = isForMany ? parsedPart : scannedPart
  if (change.pairs.length === 1 && change.update === undefined) {
    return soleEvent(change.pairs[0]!, change, path, form, from, part)
  }
  const placed = placedPairs(change.pairs, path, form, part, indexes)
  if (placed === undefined) return undefined
  if (placed.length === 0) return []
  // A member that is a path says nothing by itself about what lies beside it, and clients differ in
  // how they read it: then each is a put.
  const base = patchBase(change, path, placed)
  if (base !== undefined) {
    const members = membersJson(placed, base.prefix, form)
    if (members === undefined) return undefined
    const json = `{"path":${JSON.stringify(base.shown)},"data":${members}}`
    return [{ name: 'patch', json, id: change.id }]
  }
  return putEvents(placed, change.id, form, from)
}

function putEvents(
  placed: readonly Placed[],
  id: string,
  form: JsonForm,
  from: number,
): readonly ChangeEvent[] | undefined {
  const events: ChangeEvent[] = []
  const last = placed.at(-1)
  let length = 0
  for (const pair of placed) {
    if (pair.done <= from) continue
    const json = putJson(pair.path, pair.value, form)
    length += json.length
    if (length > maxToldLength) return undefined
    // What is behind the last one of them is elsewhere.
    events.push({ name: 'put', json, id: pair === last ? id : eventIdInside(id, pair.done) })
  }
  return events
}

/** The same for a write to one place. Most changes are one, and many may be missed. */
function soleEvent(
  pair: ChangePair,
  change: Pick<Change, 'id' | keyof Written>,
  path: Path,
  form: JsonForm,
  from: number,
  part: PartOf,
): readonly ChangeEvent[] | undefined {
  const placed = placedPair(pair, path, form, part)
  if (placed === 'elsewhere') return []
  if (placed === undefined) return undefined
  if (from > 0) return []
  const json = putJson(placed.path, placed.value, form)
  return json.length > maxToldLength ? undefined : [{ name: 'put', json, id: change.id }]
}

function putJson(path: Path, value: TreeValue, form: JsonForm): string {
  return `{"path":${JSON.stringify(path)},"data":${value.toText(form)}}`
}

/** The pairs that say something about `path`, with their paths counted from there. */
function placedPairs(
  pairs: readonly ChangePair[],
  path: Path,
  form: JsonForm,
  part: PartOf,
  indexes: Iterable<number> = pairs.keys(),
): Placed[] | undefined {
  const placed: Placed[] = []
  for (const index of indexes) {
    const found = placedPair(pairs[index]!, path, form, part)
    if (found === undefined) return undefined
    if (found !== 'elsewhere') placed.push({ ...found, done: index + 1 })
  }
  return placed
}

/** What a pair says about `path`; `undefined` where it does not carry its value. */
function placedPair(
  pair: ChangePair,
  path: Path,
  form: JsonForm,
  part: PartOf,
): Omit<Placed, 'done'> | 'elsewhere' | undefined {
  if (form === 'plain' && isPriorityPath(pair.path)) return 'elsewhere'
  const below = relativePath(path, pair.path)
  if (below === undefined && !isAncestor(pair.path, path)) return 'elsewhere'
  const { value } = pair
  if (value === undefined) return undefined
  if (below !== undefined) return { path: below, value }
  return { path: rootPath, value: part(value, relativePath(pair.path, path)!) }
}

/** Gives the value at `path` below the place of `value`. */
type PartOf = (value: TreeValue, path: Path) => TreeValue

/** Without parsing what lies beside it. */
function scannedPart(value: TreeValue, path: Path): TreeValue {
  if (value.form === 'export') return parsedPart(value, path)
  const span = locate(value.text, pathKeys(path))
  if (span === undefined) return TreeValue.null
  return TreeValue.fromCanonical(value.text.slice(span.start, span.end), 'plain')
}

function parsedPart(value: TreeValue, path: Path): TreeValue {
  return TreeValue.fromNode(nodeAt(value.node, pathKeys(path)))
}

interface PatchBase {
  /** The path of the patch. */
  readonly shown: Path
  /** How long that is in the paths of its members, with the slash behind it. */
  readonly prefix: number
}

/** Where all of them are children of one node, and came as such, the path of that. */
function patchBase(
  { update, pairs }: Written,
  path: Path,
  placed: readonly Placed[],
): PatchBase | undefined {
  const updated = update === undefined ? undefined : relativePath(path, update)
  // What several pairs from above have put under the watched path is as good as an update of that.
  const isSeveral = placed.length > 1 && pairs.length > 1
  if (updated === undefined && !isSeveral) return undefined
  const shown = updated ?? rootPath
  const prefix = shown === rootPath ? 1 : shown.length + 1
  const areChildren = placed.every(
    (pair) => pair.path.length > prefix && !pair.path.includes('/', prefix),
  )
  return areChildren ? { shown, prefix } : undefined
}

/** The members of a patch; `undefined` where they are longer than may be told. */
function membersJson(
  placed: readonly Placed[],
  prefix: number,
  form: JsonForm,
): string | undefined {
  const members: string[] = []
  let length = 0
  for (const { path, value } of placed) {
    const member = `${JSON.stringify(path.slice(prefix))}:${value.toText(form)}`
    length += member.length
    if (length > maxToldLength) return undefined
    members.push(member)
  }
  return `{${members.join(',')}}`
}
