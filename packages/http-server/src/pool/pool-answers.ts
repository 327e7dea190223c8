import type { HttpResponse } from '../message.ts'
import { errorResponse } from '../response.ts'

/** The answer at the door of a server that has enough to do. Nothing was begun. */
export function busyResponse(): HttpResponse {
  return errorResponse(503, 'The server is busy', ['Retry-After', '1'])
}

/** The answer to a write of which nobody knows whether it was committed. */
export function unknownOutcomeResponse(): HttpResponse {
  return errorResponse(503, 'The outcome of the write is unknown: The writer has stopped')
}
