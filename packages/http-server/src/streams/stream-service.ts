import { failureResponse } from '../failure.ts'
import type { Answerer } from '../http-context.ts'
import type { Log } from '../log.ts'
import type { Answer, HttpRequest } from '../message.ts'
import { planRequest } from '../plan-request.ts'
import type { PlanOptions } from '../plan-request.ts'
import { Refusal } from '../refusal.ts'
import { parseTarget } from '../target.ts'
import { StreamHub } from './stream-hub.ts'
import type { PlanSubscription } from './stream-hub.ts'
import type { StreamMeter } from './stream-meter.ts'
import type { StreamLimits } from './stream-options.ts'
import { mayBeStream, streamsPath } from './stream-request.ts'
import type { StreamSource } from './stream-source.ts'
import { parseSubscriptionRequests } from './subscription-requests.ts'
import type { SubscriptionRequests } from './subscription-requests.ts'

/** Largest body with subscriptions, in bytes. */
const maxSubscriptionBytes = 256 * 1024

/** Answers the requests of a server that are for streams. */
export class StreamService {
  readonly #options: StreamLimits
  readonly #plan: PlanOptions
  readonly #makeSource: () => StreamSource
  readonly #log: Log
  #hub: StreamHub | undefined
  #isClosed = false

  /** @param makeSource Called for the first stream. */
  constructor(options: StreamLimits, plan: PlanOptions, makeSource: () => StreamSource, log: Log) {
    this.#options = options
    this.#plan = plan
    this.#makeSource = makeSource
    this.#log = log
  }

  /** What streams did; `undefined` before the first one. */
  get meter(): StreamMeter | undefined {
    return this.#hub?.meter
  }

  /** What `handle` answers, but for streams. */
  wrap(handle: Answerer): Answerer {
    return (request) => {
      if (!mayBeStream(request.url, request.headers)) return handle(request)
      try {
        return this.#answer(request) ?? handle(request)
      } catch (error) {
        return failureResponse(error, this.#log)
      }
    }
  }

  /** Ends all streams. */
  close(): void {
    this.#isClosed = true
    this.#hub?.close()
  }

  /** `undefined` for a request that is none for a stream. */
  #answer(request: HttpRequest): Answer | Promise<Answer> | undefined {
    const { pathname } = parseTarget(request.url)
    const isNamed = pathname === streamsPath || pathname.startsWith(`${streamsPath}/`)
    if (isNamed && request.method !== 'OPTIONS') return this.#answerNamed(request, pathname)
    const plan = planRequest(request, this.#plan)
    if (plan.kind === 'respond') return plan.response
    return plan.kind === 'stream' ? this.#running.open(plan, addressOf(request)) : undefined
  }

  #answerNamed(request: HttpRequest, pathname: string): Answer | Promise<Answer> {
    const id = pathname.slice(streamsPath.length + 1)
    const allowed = id === '' ? 'POST, OPTIONS' : 'PATCH, DELETE, OPTIONS'
    if (request.method === 'DELETE' && id !== '') return this.#running.end(id)
    if (request.method === 'PATCH' && id !== '') {
      return this.#withBody(request, (requests) => this.#running.change(id, requests))
    }
    if (request.method !== 'POST' || id !== '') {
      throw new Refusal(405, 'Method not allowed', ['Allow', allowed])
    }
    const header = request.headers['last-event-id']
    const lastEventId = header === undefined || header === '' ? undefined : String(header)
    return this.#withBody(request, (requests) =>
      this.#running.openNamed(requests, this.#planner(request), lastEventId, addressOf(request)),
    )
  }

  /** Plans subscriptions with the credentials of the request that opened their stream. */
  #planner({ headers }: HttpRequest): PlanSubscription {
    const { host, authorization } = headers
    return (url) => {
      const accept = 'text/event-stream'
      const head = { method: 'GET', url, headers: { host, authorization, accept } }
      const plan = planRequest(head, this.#plan)
      if (plan.kind === 'stream') return plan
      throw new Refusal(400, 'Invalid subscription: There is nothing to watch')
    }
  }

  async #withBody(
    { body }: HttpRequest,
    work: (requests: SubscriptionRequests) => Answer,
  ): Promise<Answer> {
    try {
      const pieces: Uint8Array[] = []
      let length = 0
      for await (const piece of body instanceof Uint8Array ? [body] : (body ?? [])) {
        length += piece.length
        if (length > maxSubscriptionBytes) throw new Refusal(413, 'Payload is too large')
        pieces.push(piece)
      }
      return work(parseSubscriptionRequests(Buffer.concat(pieces, length)))
    } catch (error) {
      return failureResponse(error, this.#log)
    }
  }

  get #running(): StreamHub {
    if (this.#isClosed && this.#hub === undefined) {
      throw new Refusal(503, 'The server is stopping', ['Retry-After', '1'])
    }
    return (this.#hub ??= new StreamHub(this.#makeSource(), this.#options, this.#log))
  }
}

function addressOf({ remoteAddress = '' }: HttpRequest): string {
  return remoteAddress
}
