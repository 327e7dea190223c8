/** Stable codes of {@link WorkQueueError}. Adding one is a minor change, removing one is major. */
export type WorkQueueErrorCode =
  | 'ERR_QUEUE_CLOSED'
  | 'ERR_ITEM_TOO_LARGE'
  | 'ERR_MAIN_THREAD'
  | 'ERR_TOO_MANY_PARTICIPANTS'
  | 'ERR_CLAIM_OPEN'
  | 'ERR_DETACHED'
  | 'ERR_HANDLE_INVALID'

/** Thrown for every failure of this package that a caller may want to handle. */
export class WorkQueueError extends Error {
  override readonly name = 'WorkQueueError'
  readonly code: WorkQueueErrorCode

  constructor(code: WorkQueueErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
