import { failureResponse } from '../failure.ts'
import type { Health } from '../health.ts'
import type { Answerer } from '../http-context.ts'
import type { Log } from '../log.ts'
import type { Answer, HttpRequest } from '../message.ts'
import { planRequest } from '../plan-request.ts'
import type { PlanOptions } from '../plan-request.ts'
import { Refusal } from '../refusal.ts'
import type { PlanSettings } from '../plan-settings.ts'
import type { ReaderPool } from './reader-pool.ts'
import type { WriterPool } from './writer-pool.ts'

export interface RouterOptions {
  readonly plan: PlanSettings
  readonly health: () => Health
  readonly log: Log
}

/**
 * Sends each request to the threads that can answer it, without touching a store. What is wrong with a
 * write that has a large body is said here, before that is read.
 */
export function createRouter(
  { plan: settings, health, log }: RouterOptions,
  readers: ReaderPool,
  writer: WriterPool,
): Answerer {
  const options: PlanOptions = { ...settings, health }

  function plan(request: HttpRequest): Answer | Promise<Answer> {
    try {
      const planned = planRequest(request, options)
      if (planned.kind === 'respond') return planned.response
      if (planned.kind === 'stream') throw new Refusal(501, 'Streams are answered elsewhere')
      return planned.kind === 'read'
        ? readers.read(request, planned.timeoutMs)
        : writer.write(request)
    } catch (error) {
      return failureResponse(error, log)
    }
  }

  return (request) => {
    const { method, url } = request
    if (hasToBePlanned(url)) return plan(request)
    if (method === 'GET' || method === 'HEAD') return readers.read(request)
    return writing.has(method) && writer.takesWhole(request) ? writer.write(request) : plan(request)
  }
}

const writing: ReadonlySet<string> = new Set(['PUT', 'PATCH', 'POST', 'DELETE'])

// The server itself has paths that begin with a dot, as no key does. A URL may be absolute. Who waits for
// a limited time waits here. And a parameter may say that a write is a read. Its name may be one of these
// when it is decoded.
function hasToBePlanned(url: string): boolean {
  return (
    !url.startsWith('/') ||
    url.startsWith('/.') ||
    (url.includes('?') &&
      (url.includes('timeout=') ||
        override.test(url) ||
        (url.includes('%') && encodedName.test(url))))
  )
}

const override = /override=/i

// Of values that need not be planned here, most are encoded. A name with a question mark is none of them.
const encodedName = /[?&][^?&=]*%/
