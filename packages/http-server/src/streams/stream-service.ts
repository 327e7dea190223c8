import { checkBodyHead } from '../body-sink.ts'
import { failureResponse } from '../failure.ts'
import type { Answerer } from '../http-context.ts'
import type { Log } from '../log.ts'
import type { Answer, HttpRequest } from '../message.ts'
import { effectiveMethod, methodNotAllowed } from '../method.ts'
import { databaseOf } from '../namespaces.ts'
import { refuseHeaders, refuseParameters } from '../not-yet.ts'
import { parseParameters } from '../parameters.ts'
import type { Parameters } from '../parameters.ts'
import { planRequest } from '../plan-request.ts'
import type { PlanOptions } from '../plan-request.ts'
import type { StreamPlan } from '../plan.ts'
import { Refusal } from '../refusal.ts'
import { RequestBody } from '../request-body.ts'
import { parseTarget } from '../target.ts'
import type { Target } from '../target.ts'
import { StreamHub } from './stream-hub.ts'
import type { PlanSubscription } from './stream-hub.ts'
import type { StreamMeter } from './stream-meter.ts'
import type { StreamLimits } from './stream-options.ts'
import { lastEventIdOf, mayBeStream, streamsPath } from './stream-request.ts'
import type { StreamSource } from './stream-source.ts'
import { parseSubscriptionRequests } from './subscription-requests.ts'
import type { SubscriptionRequests } from './subscription-requests.ts'

/** Largest body with subscriptions, in bytes. */
const maxSubscriptionBytes = 256 * 1024

const emptyBody = Buffer.alloc(0)

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
    const target = parseTarget(request.url)
    const { pathname } = target
    const isNamed = pathname === streamsPath || pathname.startsWith(`${streamsPath}/`)
    if (isNamed && request.method !== 'OPTIONS') return this.#answerNamed(request, target)
    const plan = planRequest(request, this.#plan)
    if (plan.kind === 'respond') return plan.response
    if (plan.kind !== 'stream') return undefined
    return plan.isHead === true
      ? this.#head(plan, request)
      : this.#running.open(plan, addressOf(request))
  }

  async #head(plan: StreamPlan, { method }: HttpRequest): Promise<Answer> {
    const { body, ...head } = await this.#running.head(plan)
    // A `POST` that means `HEAD` has an answer with a body all the same, be it empty.
    return { ...head, body: body ?? (method === 'HEAD' ? undefined : emptyBody) }
  }

  #answerNamed(request: HttpRequest, { pathname, query, host }: Target): Answer | Promise<Answer> {
    const parameters = parseParameters(query)
    const id = pathname.slice(streamsPath.length + 1)
    const method = namedMethod(request, parameters, id !== '')
    const namespace = parameters.get('ns')
    if (namespace !== undefined) databaseOf(undefined, parameters, this.#plan)
    refuseParameters(parameters)
    refuseHeaders(request.headers)
    if (method === 'DELETE') return this.#running.end(id)
    if (method === 'PATCH') {
      return this.#withBody(request, (requests) => this.#running.change(id, requests, namespace))
    }
    const plan = this.#planner(host ?? request.headers['host'], namespace)
    const lastEventId = lastEventIdOf(request.headers, parameters)
    return this.#withBody(request, (requests) =>
      this.#running.openNamed(requests, plan, lastEventId, addressOf(request)),
    )
  }

  /** Plans subscriptions of a stream, in the database that was meant when it was opened unless they name one. */
  #planner(host: HttpRequest['headers'][string], opened: string | undefined): PlanSubscription {
    return (url, namespace = opened) => {
      const accept = 'text/event-stream'
      // Whoever says in a request which database is meant does not mean that of the host.
      const headers = namespace === undefined ? { accept, host } : { accept }
      const plan = planRequest({ method: 'GET', url, headers }, this.#planIn(namespace))
      if (plan.kind === 'stream') return plan
      throw new Refusal(400, 'Invalid subscription: There is nothing to watch')
    }
  }

  #planIn(namespace: string | undefined): PlanOptions {
    const { namespaces } = this.#plan
    if (namespaces === undefined || namespace === undefined) return this.#plan
    return { ...this.#plan, namespaces: { ...namespaces, default: namespace } }
  }

  async #withBody(
    request: HttpRequest,
    work: (requests: SubscriptionRequests) => Answer,
  ): Promise<Answer> {
    const { body } = request
    try {
      checkBodyHead(request, maxSubscriptionBytes)
      if (body instanceof RequestBody) body.hold()
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

/** @throws {Refusal} 405 for what can't be done to a stream, or to none. */
function namedMethod(
  request: HttpRequest,
  parameters: Parameters,
  isOpen: boolean,
): 'POST' | 'PATCH' | 'DELETE' {
  const method = request.method === 'POST' ? effectiveMethod(request, parameters) : request.method
  if (isOpen && (method === 'PATCH' || method === 'DELETE')) return method
  if (!isOpen && method === 'POST') return method
  throw methodNotAllowed(isOpen ? 'PATCH, DELETE, OPTIONS' : 'POST, OPTIONS')
}

function addressOf({ remoteAddress = '' }: HttpRequest): string {
  return remoteAddress
}
