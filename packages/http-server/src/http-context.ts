import type { ArrivingBodies } from './arriving-bodies.ts'
import type { ClientConnections } from './client-connections.ts'
import type { Exchange } from './exchange.ts'
import type { HttpLimits } from './limits.ts'
import type { Log } from './log.ts'
import type { Answer, HttpRequest, HttpResponse } from './message.ts'
import type { RequestMeter } from './metrics-meter.ts'
import { errorResponse } from './response.ts'

/** Answers what is asked. Never throws and never rejects. */
export type Answerer = (request: HttpRequest) => Answer | Promise<Answer>

/** What each version of HTTP has to know of its listener. */
export interface HttpContext {
  readonly handle: Answerer
  readonly limits: Required<HttpLimits>
  readonly log: Log
  readonly meter: RequestMeter | undefined
  readonly connections: ClientConnections
  readonly arriving: ArrivingBodies
  /** Whether what is open ends as soon as it can. */
  readonly isClosing: () => boolean
}

/** What is told to a connection that is one too many. */
export function tooManyConnections(): HttpResponse {
  return errorResponse(503, 'Too many connections', ['Retry-After', '1'])
}

/** What is wrong with a request whatever it asks. */
export function refusalOf(
  { url, headers }: Pick<Exchange, 'url' | 'headers'>,
  host: string | undefined,
  { maxUrlBytes }: Required<HttpLimits>,
): HttpResponse | undefined {
  if (url.length > maxUrlBytes) return errorResponse(414, 'The URL is too long')
  if (host === undefined) return errorResponse(400, 'A Host header is missing')
  const { expect } = headers
  if (expect !== undefined && !/^100-continue$/i.test(String(expect))) {
    return errorResponse(417, "The only expectation that can be met is '100-continue'")
  }
  return undefined
}
