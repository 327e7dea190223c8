import { createHash } from 'node:crypto'
import { parentPath, isPriorityPath, pathsConflict } from '@elkyn/tree'
import type { Change, JsonForm, Path } from '@elkyn/tree'
import type { Listing } from '../parameters.ts'
import type { QueryRequest } from '../query-parameters.ts'

/**
 * What a stream shows. Plain data, so that it can be sent to another thread; the same text for the same
 * thing, so that those who watch it share the work.
 */
export interface StreamTarget {
  /** In the store. */
  readonly path: Path
  /** The same path as the client knows it. */
  readonly shownPath: Path
  readonly form: JsonForm
  /** Names of the children instead of their values. */
  readonly listing?: Listing | undefined
  /** Only the children that it asks for. */
  readonly query?: QueryRequest | undefined
  /** The whole value each time, without a path, as `/.watch` shows it. */
  readonly isValue?: boolean | undefined
  /** Most bytes of the whole; more are refused. Default: any number. */
  readonly maxBytes?: number | undefined
}

/** Texts of more than 16,383 units V8 finds in a map by their lengths alone, and each key is held. */
const maxKeyLength = 1000

/** A text that is the same for the same target, and for no other one. */
export function targetKey(target: StreamTarget): string {
  const text = JSON.stringify(target)
  return text.length <= maxKeyLength ? text : createHash('sha256').update(text).digest('base64')
}

/** Whether the changes themselves tell all that there is to tell, so that nothing has to be read again. */
export function isFollowed({ path, listing, query, isValue }: StreamTarget): boolean {
  return listing === undefined && query === undefined && isValue !== true && !isPriorityPath(path)
}

/** The place whose changes matter. The priority of a node goes with the node. */
export function watchedPath({ path }: StreamTarget): Path {
  return isPriorityPath(path) ? parentPath(path)! : path
}

/** What a change has written. */
export type Written = Pick<Change, 'update' | 'pairs'>

/** Whether a change may have changed what is shown. */
export function concerns(change: Written, target: StreamTarget): boolean {
  const path = watchedPath(target)
  if (isUpdateElsewhere(change, path)) return false
  return change.pairs.some((pair) => pathsConflict(pair.path, path))
}

/** Whether a change is an update of what is neither at a path, above it nor below it: its pairs, of which there may be many, need not be read. */
export function isUpdateElsewhere({ update }: Pick<Change, 'update'>, path: Path): boolean {
  return update !== undefined && !pathsConflict(update, path)
}
