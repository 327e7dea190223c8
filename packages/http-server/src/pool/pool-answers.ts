import { ThreadPoolError } from '@elkyn/thread-pool'
import type { HttpResponse } from '../message.ts'
import { Refusal } from '../refusal.ts'
import { errorResponse } from '../response.ts'

const busy = [503, 'The server is busy', ['Retry-After', '1']] as const

/** The answer at the door of a server that has enough to do. Nothing was begun. */
export function busyResponse(): HttpResponse {
  return errorResponse(...busy)
}

/** The same of a task that a pool has refused; `undefined` for another error. */
export function busyRefusal(error: unknown): Refusal | undefined {
  const code = error instanceof ThreadPoolError ? error.code : undefined
  const isBusy = code === 'ERR_QUEUE_FULL' || code === 'ERR_CRASH_LOOP'
  return isBusy ? new Refusal(...busy) : undefined
}

/** The answer to a write of which nobody knows whether it was committed. */
export function unknownOutcomeResponse(): HttpResponse {
  return errorResponse(503, 'The outcome of the write is unknown: The writer has stopped')
}
