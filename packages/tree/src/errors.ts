/** Stable codes of {@link TreeError}. Adding one is a minor change, removing one is major. */
export type TreeErrorCode =
  | 'ERR_INVALID_PATH'
  | 'ERR_PATH_TOO_LONG'
  | 'ERR_JSON_SYNTAX'
  | 'ERR_INVALID_KEY'
  | 'ERR_INVALID_NUMBER'
  | 'ERR_INVALID_STRING'
  | 'ERR_STRING_TOO_LARGE'
  | 'ERR_TOO_DEEP'
  | 'ERR_INVALID_PRIORITY'
  | 'ERR_INVALID_SERVER_VALUE'
  | 'ERR_INVALID_VALUE'
  | 'ERR_NOT_AN_OBJECT'
  | 'ERR_PATH_CONFLICT'
  | 'ERR_TOO_MANY_VALUES'
  | 'ERR_CONDITION_FAILED'
  | 'ERR_CONDITION_STALE'
  | 'ERR_REFUSED'
  | 'ERR_INDEX_NOT_DEFINED'
  | 'ERR_INVALID_CURSOR'
  | 'ERR_IDEMPOTENCY_KEY_REUSED'
  | 'ERR_OUTCOME_UNKNOWN'
  | 'ERR_TOO_MANY_SNAPSHOTS'
  | 'ERR_STORE_CLOSED'
  | 'ERR_STORE_FULL'
  | 'ERR_STORE_FAILED'

/** Facts about a {@link TreeError}, for a caller that wants to show or act on them. */
export interface TreeErrorDetails {
  /** Line of the input where the problem begins, from 1. */
  readonly line?: number
  /** Column of the input where the problem begins, from 1, in UTF-16 units as in a string. */
  readonly column?: number
  /**
   * Where the problem is, in canonical form but for a path that is itself the problem. In JSON that is read, from the value on, or
   * from that of a member of an update, and with names that have a meaning, such as `/a/.priority`.
   */
  readonly path?: string
  /** The field that an index is missing for: `$value`, or a path below each child. None where no index could help. */
  readonly index?: string
  readonly cause?: unknown
}

/** Thrown for every failure of the tree packages that a caller may want to handle. */
export class TreeError extends Error {
  override readonly name = 'TreeError'
  readonly code: TreeErrorCode
  readonly line: number | undefined
  readonly column: number | undefined
  readonly path: string | undefined
  readonly index: string | undefined

  constructor(code: TreeErrorCode, message: string, details: TreeErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.code = code
    this.line = details.line
    this.column = details.column
    this.path = details.path
    this.index = details.index
  }
}
