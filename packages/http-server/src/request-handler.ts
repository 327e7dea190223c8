import type { TreeStore } from '@elkyn/tree'
import { checkStore } from './check-store.ts'
import { handleRequest } from './handle-request.ts'
import type { HandlerContext } from './handle-request.ts'
import { HeldValues } from './held-values.ts'
import type { Health } from './health.ts'
import { resolveLimits } from './limits.ts'
import type { HttpLimits } from './limits.ts'
import { silentLog } from './log.ts'
import type { Log } from './log.ts'
import type { RequestHandler } from './message.ts'
import { Places } from './places.ts'
import { planSettings } from './plan-settings.ts'
import type { PlanSettings, SettingOptions } from './plan-settings.ts'
import { StreamedAnswers } from './streamed-answers.ts'
import { UploadPlaces, maxUploads } from './upload-places.ts'

export interface RequestHandlerOptions
  extends
    SettingOptions,
    Pick<HttpLimits, 'maxBodyBytes' | 'maxHeldValues' | 'maxStreamedAnswers' | 'maxAnswerBytes'> {
  /** What requests read and write. Stays open: it is for its owner to close. */
  readonly store: TreeStore
  /**
   * Whether the store has several databases, and the root is above all of them: values may then be one key deeper. For
   * tools of their owner, without `namespaces`. Default: false.
   */
  readonly allDatabases?: boolean
  /** Receives the faults of the server. Default: nothing is logged. */
  readonly log?: Log
}

/**
 * Makes a function that answers requests from a store, without sockets and in the calling thread:
 * for servers other than ours, and for tests.
 *
 * @throws {RangeError} for a limit that is not a positive integer, and for wrong namespaces.
 * @throws {TypeError} for a store that is not one.
 */
export function createRequestHandler(options: RequestHandlerOptions): RequestHandler {
  const limits = resolveLimits(options)
  const { store, allDatabases = false, log = silentLog } = options
  checkStore(store)
  const { maxBodyBytes, maxStreamedAnswers } = limits
  const streamedAnswers = new StreamedAnswers(maxStreamedAnswers)
  const plan = { ...planSettings(options, limits), allDatabases }
  return handlerOf({ store, maxBodyBytes, streamedAnswers, plan, log }, () => 'ok')
}

/** What a handler is made of, when its options have been looked at. */
export interface HandlerParts {
  readonly store: TreeStore
  readonly maxBodyBytes: number
  readonly streamedAnswers: StreamedAnswers
  readonly plan: PlanSettings
  readonly log: Log
}

/** Writes that read what they replace at one time: they only share the time of this thread. */
export const maxSlowWrites = 16

/** The same for a server, which says how it is. */
export function handlerOf(parts: HandlerParts, health: () => Health): RequestHandler {
  const context = { ...contextOf(parts, health), uploads: new UploadPlaces(maxUploads) }
  return (request) => handleRequest(request, context)
}

/** The same for a thread that writes, and should not keep others waiting. */
export interface WriterHandlers {
  /** Answers with `putOffWrite` where the write takes long, and with a `PutOffAnswer` where its answer does. */
  readonly quick: RequestHandler
  /** With a `PutOffAnswer` only. */
  readonly patient: RequestHandler
}

export function writerHandlersOf(parts: HandlerParts): WriterHandlers {
  const context = contextOf(parts, () => 'ok')
  const quick = { ...context, putsOff: 'answers and writes' } as const
  const patient = { ...context, putsOff: 'answers' } as const
  return {
    quick: (request) => handleRequest(request, quick),
    patient: (request) => handleRequest(request, patient),
  }
}

function contextOf({ plan, ...parts }: HandlerParts, health: () => Health): HandlerContext {
  const heldValues = new HeldValues(plan.maxHeldValues)
  return { ...plan, ...parts, heldValues, sizePlaces: new Places(maxSlowWrites), health }
}
