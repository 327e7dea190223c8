/** Stable codes of {@link HttpServerError}. Adding one is a minor change, removing one is major. */
export type HttpServerErrorCode =
  | 'ERR_REQUEST_ABORTED'
  | 'ERR_SERVER_CLOSED'
  | 'ERR_SERVER_NOT_LISTENING'
  | 'ERR_SERVER_STARTED'

/** Thrown for every failure of this package that a caller may want to handle. */
export class HttpServerError extends Error {
  override readonly name = 'HttpServerError'
  readonly code: HttpServerErrorCode

  constructor(code: HttpServerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Nobody waits for the answer any more. */
export function requestAborted(): HttpServerError {
  return new HttpServerError(
    'ERR_REQUEST_ABORTED',
    'Cannot take the body: The connection ended before it was complete',
  )
}

/** The same, of an answer that is being made. */
export function answerUnwanted(): HttpServerError {
  return new HttpServerError('ERR_REQUEST_ABORTED', 'Cannot answer: The client has gone')
}
