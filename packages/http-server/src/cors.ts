import type { HttpRequestHead, HttpResponse } from './message.ts'
import { allowedMethods } from './method.ts'
import { bareHeaders } from './response.ts'

const knownHeaders = [
  'Content-Type',
  'Authorization',
  'X-Firebase-ETag',
  'If-Match',
  'If-None-Match',
  'Idempotency-Key',
  'X-HTTP-Method-Override',
  'Last-Event-ID',
  'Cache-Control',
].join(', ')

const headerNames = /^[\w!#$%&'*+.^`|~-]+(?: *, *[\w!#$%&'*+.^`|~-]+)*$/

/**
 * [unconfirmed] Answers a browser that asks whether a script of another origin may send a request:
 * any may, with any header. Whether the request itself is allowed is another question.
 */
export function preflightResponse(head: HttpRequestHead): HttpResponse {
  const asked = String(head.headers['access-control-request-headers'] ?? '')
  const names = headerNames.test(asked) ? asked : knownHeaders
  return {
    status: 204,
    headers: [
      ...bareHeaders,
      'Allow',
      allowedMethods,
      'Access-Control-Allow-Methods',
      allowedMethods,
      'Access-Control-Allow-Headers',
      names,
      'Access-Control-Max-Age',
      '3600',
    ],
  }
}
