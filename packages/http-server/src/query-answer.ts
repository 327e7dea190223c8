import { TreeError, childPath, quote } from '@elkyn/tree'
import type { JsonForm, Path, QueryEntry, QueryResult, TreeSnapshot } from '@elkyn/tree'
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
    if (shape === 'count') return countBlocks(result)
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

// Stands among blocks where many children were looked at and nothing is to be said yet.
const pause = new Uint8Array()

function* countBlocks(result: QueryResult): Generator<Uint8Array> {
  const count = yield* blocksOfSteps(result.countSteps(), () => [pause])
  yield Buffer.from(String(count))
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
  const taken = (): Uint8Array => {
    const block = Buffer.concat(pieces)
    pieces = []
    length = 0
    return block
  }
  let before = '{"children":['
  function* blocksOfChild(child: QueryEntry | undefined): Iterable<Uint8Array> {
    if (child === undefined) {
      yield pause
      return
    }
    add(Buffer.from(`${before}{"key":${quote(child.key)},"value":`))
    before = '},'
    for (const block of snapshot.jsonBlocks(childPath(path, child.key), form) ?? nullBlocks) {
      add(block)
      if (length >= blockLength) yield taken()
    }
  }
  const cursor = yield* blocksOfSteps(result.pageSteps(), blocksOfChild)
  const end = before === '},' ? '}' : before
  add(Buffer.from(`${end}],"cursor":${JSON.stringify(cursor ?? null)}}`))
  yield taken()
}

/** What steps come to, when the blocks were given that belong to each of them. */
function* blocksOfSteps<T, R>(
  steps: Generator<T, R, void>,
  blocksOf: (item: T) => Iterable<Uint8Array>,
): Generator<Uint8Array, R, void> {
  try {
    for (;;) {
      const { done, value } = steps.next()
      if (done === true) return value
      yield* blocksOf(value)
    }
  } finally {
    // Where the blocks are given up, what the steps read from has to end.
    steps.return(undefined as R)
  }
}
