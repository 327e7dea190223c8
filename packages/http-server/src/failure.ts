import { TreeError } from '@elkyn/tree'
import type { TreeErrorCode } from '@elkyn/tree'
import { HttpServerError } from './errors.ts'
import type { Log } from './log.ts'
import type { HttpResponse } from './message.ts'
import { Refusal } from './refusal.ts'
import { errorResponse } from './response.ts'

type Text = string | ((error: TreeError) => string)

// Messages about a request say nothing but what was in it, so they may be sent as they are.
const ownMessage: Text = (error) => error.message

const syntax =
  "Invalid data; couldn't parse JSON object, array, or value. Perhaps you're using invalid " +
  'characters in your key names.'
const notAnObject =
  "Invalid data; couldn't parse JSON object. Are you sending a JSON object with valid key names?"

/**
 * What is said where an index is missing.
 * @param path as the client knows it: a store says it with its own.
 */
export function indexNotDefined({ index, path }: Pick<TreeError, 'index' | 'path'>): string {
  if (index === undefined) {
    return `No index finds what is not equal at path "${path}": order by an indexed field, or add another condition on one`
  }
  const name = index === '$value' ? '.value' : index
  return `Index not defined, add ".indexOn": "${name}", for path "${path}", to the rules`
}

const answers: Readonly<Record<TreeErrorCode, readonly [status: number, text: Text]>> = {
  ERR_INVALID_PATH: [400, 'Invalid path: Invalid token in path'],
  ERR_PATH_TOO_LONG: [400, 'Invalid path: Path is too long'],
  ERR_JSON_SYNTAX: [400, syntax],
  ERR_INVALID_KEY: [400, ownMessage],
  ERR_INVALID_NUMBER: [400, ownMessage],
  ERR_INVALID_STRING: [400, ownMessage],
  ERR_STRING_TOO_LARGE: [400, ownMessage],
  ERR_TOO_DEEP: [400, ownMessage],
  ERR_INVALID_PRIORITY: [400, ownMessage],
  ERR_INVALID_SERVER_VALUE: [400, 'Invalid data; unrecognized server value'],
  ERR_INVALID_VALUE: [400, ownMessage],
  ERR_NOT_AN_OBJECT: [400, notAnObject],
  ERR_PATH_CONFLICT: [400, ownMessage],
  ERR_TOO_MANY_VALUES: [413, ownMessage],
  ERR_CONDITION_FAILED: [412, ownMessage],
  ERR_CONDITION_STALE: [503, 'The data there changes too often to be compared'],
  ERR_REFUSED: [401, 'Permission denied'],
  ERR_INDEX_NOT_DEFINED: [400, indexNotDefined],
  ERR_INVALID_CURSOR: [400, ownMessage],
  ERR_IDEMPOTENCY_KEY_REUSED: [422, 'This Idempotency-Key was used for another request'],
  ERR_OUTCOME_UNKNOWN: [409, ownMessage],
  ERR_STORE_CLOSED: [503, 'The database is closed'],
  ERR_TOO_MANY_SNAPSHOTS: [503, 'The server is busy: Too many snapshots are open'],
  ERR_STORE_FULL: [507, 'The database is full'],
  ERR_STORE_FAILED: [503, 'The database failed'],
}

/** The answer to a request that led to `error`. What is not the client's doing goes into the log. */
export function failureResponse(error: unknown, log: Log): HttpResponse {
  return respondTo(error, log, '')
}

/** The same for a write that was not committed, which a client can rely on. */
export function writeFailureResponse(error: unknown, log: Log): HttpResponse {
  return respondTo(error, log, ': Nothing was written')
}

/** The answer to a write that was committed, when `error` kept what was written from being read. */
export function unshownResponse(error: unknown, log: Log): HttpResponse {
  if (!(error instanceof Refusal) && !isBusy(error) && !isUnwanted(error)) {
    log.error({ err: error }, 'What was written could not be read')
  }
  return errorResponse(500, 'The data was written, but cannot be shown')
}

function respondTo(error: unknown, log: Log, storeSuffix: string): HttpResponse {
  const { status, message, headers } = refusalFor(error, log, storeSuffix)
  return errorResponse(status, message, headers)
}

/**
 * What a client is told of an error. What is not its doing goes into the log.
 * @param storeSuffix Said behind what the store could not do.
 */
export function refusalFor(error: unknown, log: Log, storeSuffix = ''): Refusal {
  if (error instanceof Refusal) return error
  if (isUnwanted(error)) return new Refusal(400, error.message)
  // A later version of the tree may have codes that this one doesn't know.
  if (error instanceof TreeError && Object.hasOwn(answers, error.code)) {
    const [status, text] = answers[error.code]
    if (status >= 500 && !isBusy(error)) {
      log.error({ err: error }, 'The store could not do what a request asked')
    }
    const suffix = status >= 500 ? storeSuffix : ''
    const message = `${typeof text === 'string' ? text : text(error)}${suffix}`
    return new Refusal(status, message, isBusy(error) ? ['Retry-After', '1'] : [])
  }
  log.error({ err: error }, 'A request failed')
  return new Refusal(500, 'An internal error occurred')
}

/** Whether the client has gone. */
function isUnwanted(error: unknown): error is HttpServerError {
  return error instanceof HttpServerError && error.code === 'ERR_REQUEST_ABORTED'
}

/** Whether the store only has no room at this moment: no fault of anybody's. */
function isBusy(error: unknown): boolean {
  return error instanceof TreeError && error.code === 'ERR_TOO_MANY_SNAPSHOTS'
}

/** What went wrong with the body of an update: what is no JSON at all is no object either. */
export function updateFailure(error: unknown): unknown {
  if (!(error instanceof TreeError) || error.code !== 'ERR_JSON_SYNTAX') return error
  return new TreeError('ERR_NOT_AN_OBJECT', error.message, { cause: error })
}
