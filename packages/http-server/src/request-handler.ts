import { createPushIdGenerator } from '@elkyn/tree'
import type { TreeStore } from '@elkyn/tree'
import { handleRequest } from './handle-request.ts'
import { resolveLimits } from './limits.ts'
import { silentLog } from './log.ts'
import type { Log } from './log.ts'
import type { RequestHandler } from './message.ts'
import { StreamedAnswers } from './streamed-answers.ts'

export interface RequestHandlerOptions {
  /** What requests read and write. Stays open: it is for its owner to close. */
  readonly store: TreeStore
  /** Largest request body, in bytes. A larger one is answered 413. Default: 268435456 (256 MiB). */
  readonly maxBodyBytes?: number
  /**
   * Answers in blocks at one time that hold a snapshot, until their iterators have ended. A further
   * one is answered 503. Default: 128.
   */
  readonly maxStreamedAnswers?: number
  /**
   * Name of the database, as clients give it in the parameter `ns`. One that names another is
   * answered 404. Default: any name is taken, and means the one database there is.
   */
  readonly namespace?: string
  /** Receives the faults of the server. Default: nothing is logged. */
  readonly log?: Log
}

/**
 * Makes a function that answers requests from a store, without sockets and in the calling thread:
 * for servers other than ours, and for tests.
 *
 * @throws {RangeError} for a limit that is not a positive integer.
 */
export function createRequestHandler(options: RequestHandlerOptions): RequestHandler {
  return createHandler(options, () => true)
}

/** The same for a server, which says with `isServing` that it is not about to stop. */
export function createHandler(
  options: RequestHandlerOptions,
  isServing: () => boolean,
): RequestHandler {
  const { maxBodyBytes, maxStreamedAnswers } = resolveLimits(options)
  const context = {
    store: options.store,
    maxBodyBytes,
    streamedAnswers: new StreamedAnswers(maxStreamedAnswers),
    namespace: options.namespace,
    createKey: createPushIdGenerator(),
    isServing,
    log: options.log ?? silentLog,
  }
  return (request) => handleRequest(request, context)
}
