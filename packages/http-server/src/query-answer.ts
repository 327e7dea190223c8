import { TreeError, childPath, quote } from '@elkyn/tree'
import type { JsonForm, Path, QueryResult, TreeSnapshot } from '@elkyn/tree'
import { indexNotDefined } from './failure.ts'
import type { QueryRequest } from './query-parameters.ts'
import { Refusal } from './refusal.ts'
import { blockLength, nullBlocks } from './response.ts'

/** Where a query is asked. */
export interface QueriedPlace {
  readonly path: Path
  /** The same path as the client knows it. */
  readonly shownPath: Path
  readonly form: JsonForm
}

/**
 * What a query found, as JSON in blocks; `undefined` where the node does not exist.
 *
 * @throws {Refusal} 400 where an index is missing.
 * @throws {TreeError} `ERR_INVALID_CURSOR`
 */
export function queryBlocks(
  snapshot: TreeSnapshot,
  place: QueriedPlace,
  { query, shape }: QueryRequest,
): Iterable<Uint8Array> | undefined {
  const { path, shownPath, form } = place
  try {
    const result = snapshot.query(path, query)
    if (shape === 'count') return [Buffer.from(String(result.count()))]
    if (snapshot.kind(path) === 'none') return undefined
    if (shape === 'page') return pageBlocks(snapshot, place, result)
    // [unconfirmed] A leaf has no children, and is none of its own.
    return result.jsonBlocks(form) ?? nullBlocks
  } catch (error) {
    throw indexRefusal(error, shownPath) ?? error
  }
}

/** The refusal of a query for which an index is missing; `undefined` for another error. */
export function indexRefusal(error: unknown, shownPath: Path): Refusal | undefined {
  if (!(error instanceof TreeError) || error.code !== 'ERR_INDEX_NOT_DEFINED') return undefined
  return new Refusal(400, indexNotDefined({ index: error.index, path: shownPath }))
}

/** The children in the order of the query, which no object keeps, and the cursor of the next page. */
function* pageBlocks(
  snapshot: TreeSnapshot,
  { path, form }: QueriedPlace,
  result: QueryResult,
): Generator<Uint8Array> {
  let pieces: Uint8Array[] = []
  let length = 0
  const add = (piece: Uint8Array): void => {
    pieces.push(piece)
    length += piece.length
  }
  let before = '{"children":['
  for (const { key } of result.entries()) {
    add(Buffer.from(`${before}{"key":${quote(key)},"value":`))
    before = '},'
    for (const block of snapshot.jsonBlocks(childPath(path, key), form) ?? nullBlocks) {
      add(block)
      if (length < blockLength) continue
      yield Buffer.concat(pieces)
      pieces = []
      length = 0
    }
  }
  const end = before === '},' ? '}' : before
  add(Buffer.from(`${end}],"cursor":${JSON.stringify(result.cursor() ?? null)}}`))
  yield Buffer.concat(pieces)
}
