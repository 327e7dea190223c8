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

/** The pair of a change with its place in it. */
interface Placed {
  readonly path: Path
  readonly value: TreeValue
  /** How many pairs of the change are done with it. */
  readonly done: number
}

/**
 * What a change means to those who watch `path`: none where it is elsewhere, `undefined` where it does
 * not carry a value that would have to be told. The events of a change are to be sent together.
 *
 * @param form In which values are shown. Priorities that are set by themselves show in `export` only.
 */
export function changeEvents(
  change: Change,
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
    const json = `{"path":${JSON.stringify(base.shown)},"data":${membersJson(placed, base.prefix, form)}}`
    return [{ name: 'patch', json, id: change.id }]
  }
  const last = placed.at(-1)
  return placed
    .filter(({ done }) => done > from)
    .map((pair) => {
      const json = putJson(pair.path, pair.value, form)
      // What is behind the last one of them is elsewhere.
      return {
        name: 'put',
        json,
        id: pair === last ? change.id : eventIdInside(change.id, pair.done),
      }
    })
}

/** The same for a write to one place. Most changes are one, and many may be missed. */
function soleEvent(
  pair: ChangePair,
  change: Change,
  path: Path,
  form: JsonForm,
  from: number,
  part: PartOf,
): readonly ChangeEvent[] | undefined {
  const placed = placedPair(pair, path, form, part)
  if (placed === 'elsewhere') return []
  if (placed === undefined) return undefined
  if (from > 0) return []
  return [{ name: 'put', json: putJson(placed.path, placed.value, form), id: change.id }]
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
  { update, pairs }: Change,
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

function membersJson(placed: readonly Placed[], prefix: number, form: JsonForm): string {
  const members = placed.map(
    ({ path, value }) => `${JSON.stringify(path.slice(prefix))}:${value.toText(form)}`,
  )
  return `{${members.join(',')}}`
}
