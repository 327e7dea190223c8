import type { Compression } from './compression.ts'
import { acceptedCodings } from './content-coding.ts'
import { parseConditions } from './conditions.ts'
import { preflightResponse } from './cors.ts'
import { healthResponse } from './health.ts'
import type { Health } from './health.ts'
import type { HttpRequestHead } from './message.ts'
import { parseIdempotencyKey } from './idempotency-key.ts'
import { effectiveMethod, isSafe, methodNotAllowed, safeMethods } from './method.ts'
import type { Method } from './method.ts'
import { refuseHeaders, refuseParameters, refusePath } from './not-yet.ts'
import { parseForm, parseListing, parseParameters, parsePrint, parseTimeout } from './parameters.ts'
import type { Parameters } from './parameters.ts'
import type { Plan, RespondPlan, StreamPlan } from './plan.ts'
import type { PlanSettings } from './plan-settings.ts'
import { nothingResponse, planRead } from './read.ts'
import type { ReadRequest } from './read.ts'
import { parseQuery } from './query-parameters.ts'
import { Refusal } from './refusal.ts'
import { acceptsStream, lastEventIdOf, watchSuffix } from './streams/stream-request.ts'
import { locate, parseTarget, surfaceOf } from './target.ts'
import type { Location } from './target.ts'
import { parseWrapping, wrapped } from './wrapping.ts'
import { parseWriteSizeLimit } from './write-size-limit.ts'
import { databaseOf } from './namespaces.ts'
import { planDelete, planPatch, planPost, planPut } from './write.ts'
import type { WriteRequest } from './plan-write.ts'

export interface PlanOptions extends PlanSettings {
  /** How the server is. */
  readonly health: () => Health
}

/**
 * Looks at the head of a request and says what is to be done. Of several things that are wrong it names the first
 * in this order: how the parameters are written, the method, the database, the path, credentials, and what parameters
 * and headers ask for. What needs the body or the store comes later.
 *
 * @throws {Refusal} or {TreeError} for what is wrong with the request.
 */
export function planRequest(head: HttpRequestHead, options: PlanOptions): Plan {
  if (head.method === 'OPTIONS') return { kind: 'respond', response: preflightResponse(head) }
  const { pathname, query, host = hostOf(head) } = parseTarget(head.url)
  const parameters = parseParameters(query)
  const method = effectiveMethod(head, parameters)
  if (pathname === '/.health') return planHealth(method, options)
  if (pathname === '/.metrics') throw new Refusal(404, 'Metrics are not shown here')
  refusePath(method, pathname)
  const database = databaseOf(host, parameters, options)
  if (/^\/\.info(?:\/|\.json$|$)/.test(pathname)) return planInfo(method, pathname, parameters)
  if (pathname.endsWith(watchSuffix)) {
    const place = locate(pathname.slice(0, -watchSuffix.length) || '/', database, options)
    return planWatch(method, place, parameters, head, options)
  }
  const place = locate(pathname, database, options)
  refuseParameters(parameters)
  refuseHeaders(head.headers)
  if (method === 'GET' && acceptsStream(head.headers.accept)) {
    return planStream(place, parameters, head, options)
  }
  const request = {
    ...place,
    print: parsePrint(parameters),
    form: parseForm(parameters),
    ...(isSafe(method) ? parseSelection(parameters) : nothingSelected),
    timeoutMs: isSafe(method) ? parseTimeout(parameters) : undefined,
    maxBytes: maxBytesOf(options),
    compression: compressionFor(head, options),
    wrapping: isSafe(method) ? parseWrapping(parameters) : undefined,
    writeMaxBytes: isSafe(method) ? undefined : parseWriteSizeLimit(parameters),
    conditions: parseConditions(method, head.headers),
    method,
    idempotencyKey: parseIdempotencyKey(method, head.headers),
  }
  return plans[method](request, options)
}

function hostOf({ headers: { host } }: HttpRequestHead): string | undefined {
  return host === undefined ? undefined : String(host)
}

function maxBytesOf({ maxAnswerBytes }: PlanOptions): number | undefined {
  return maxAnswerBytes === Infinity ? undefined : maxAnswerBytes
}

function compressionFor(
  { headers }: HttpRequestHead,
  { compressFromBytes: minBytes }: PlanOptions,
): Compression | undefined {
  if (minBytes === Infinity) return undefined
  return { minBytes, accepted: acceptedCodings(headers['accept-encoding']) }
}

const nothingSelected = { listing: undefined, query: undefined }

/** Which part of a value a read asks for. */
function parseSelection(parameters: Parameters): Pick<ReadRequest, 'listing' | 'query'> {
  if (parameters.size === 0) return nothingSelected
  const listing = parseListing(parameters)
  return { listing, query: listing === undefined ? parseQuery(parameters) : undefined }
}

type TreeRequest = ReadRequest & WriteRequest

const plans: Readonly<Record<Method, (request: TreeRequest, options: PlanOptions) => Plan>> = {
  GET: planRead,
  HEAD: planRead,
  PUT: planPut,
  PATCH: planPatch,
  POST: planPost,
  DELETE: planDelete,
}

function planHealth(method: Method, { health }: PlanOptions): RespondPlan {
  if (!isSafe(method)) throw methodNotAllowed(safeMethods)
  return { kind: 'respond', response: healthResponse(health()) }
}

// The whole value, again and again.
function planWatch(
  method: Method,
  place: Location,
  parameters: Parameters,
  head: HttpRequestHead,
  options: PlanOptions,
): Plan {
  if (!isSafe(method)) throw methodNotAllowed(safeMethods)
  refuseParameters(parameters)
  refuseHeaders(head.headers)
  const plan = planStream(place, parameters, head, options)
  return { ...plan, target: { ...plan.target, isValue: true }, isHead: method === 'HEAD' }
}

// What else is said, about conditions and the layout of an answer, has no meaning for a stream.
function planStream(
  { path, shownPath }: Location,
  parameters: Parameters,
  { headers }: HttpRequestHead,
  options: PlanOptions,
): StreamPlan {
  const selection = { ...parseSelection(parameters), maxBytes: maxBytesOf(options) }
  return {
    kind: 'stream',
    target: { path, shownPath, form: parseForm(parameters), ...selection },
    lastEventId: lastEventIdOf(headers, parameters),
  }
}

// [unconfirmed] What clients read here over other protocols can't be read over this one.
function planInfo(method: Method, pathname: string, parameters: Parameters): RespondPlan {
  if (!isSafe(method)) throw new Refusal(400, 'Invalid path: Invalid token in path')
  const surface = surfaceOf(pathname)
  const print = parsePrint(parameters)
  const response = nothingResponse({ surface, shownPath: pathname, print })
  return { kind: 'respond', response: wrapped(response, parseWrapping(parameters)) }
}
