import type { ContentCoding } from './content-coding.ts'
import type { HttpResponse, RawHeaders } from './message.ts'

// Every answer carries these, errors too. Lists of headers are made once and shared: building one
// for each request is measurable in small answers.
const shared = ['Cache-Control', 'no-cache', 'Access-Control-Allow-Origin', '*'] as const

/** Headers of an answer without a body. */
export const bareHeaders: RawHeaders = shared

/** Headers of an answer in JSON. */
export const jsonHeaders: RawHeaders = [
  'Content-Type',
  'application/json; charset=utf-8',
  ...shared,
]

/** The same headers and an ETag, which a browser shows to a script of another origin only if told to. */
export function withEtag(headers: RawHeaders, etag: string | undefined): RawHeaders {
  if (etag === undefined) return headers
  return [...headers, 'ETag', etag, 'Access-Control-Expose-Headers', 'ETag']
}

const vary = ['Vary', 'Accept-Encoding'] as const

/** Headers of an answer in JSON that another `Accept-Encoding` could change. */
const variedJsonHeaders: RawHeaders = [...jsonHeaders, ...vary]

/** Those of one that is compressed. */
const codedJsonHeaders: Readonly<Record<ContentCoding, RawHeaders>> = {
  br: [...variedJsonHeaders, 'Content-Encoding', 'br'],
  gzip: [...variedJsonHeaders, 'Content-Encoding', 'gzip'],
}

/** The lists that most answers have. */
export const sharedHeaders: readonly RawHeaders[] = [
  bareHeaders,
  jsonHeaders,
  variedJsonHeaders,
  codedJsonHeaders.br,
  codedJsonHeaders.gzip,
]

/** The same headers, which tell caches that the answer depends on `Accept-Encoding`. */
export function withVary(headers: RawHeaders): RawHeaders {
  return headers === jsonHeaders ? variedJsonHeaders : [...headers, ...vary]
}

/** The same headers for a body that is compressed. */
export function withCoding(headers: RawHeaders, coding: ContentCoding): RawHeaders {
  return headers === jsonHeaders
    ? codedJsonHeaders[coding]
    : [...headers, ...vary, 'Content-Encoding', coding]
}

/** About how long the blocks are in which an answer is made, however much there is. */
export const blockLength: number = 64 * 1024

/** The JSON of nothing. */
export const nullBlocks: readonly Uint8Array[] = [Buffer.from('null')]

/** An answer whose body is this JSON text. */
export function jsonResponse(
  status: number,
  text: string,
  headers: RawHeaders = jsonHeaders,
): HttpResponse {
  return { status, headers, body: Buffer.from(text) }
}

/**
 * An answer that says what went wrong. The white space is that of the production service, because
 * somebody may compare bytes; a JSON parser doesn't mind.
 */
export function errorResponse(
  status: number,
  message: string,
  headers: RawHeaders = [],
): HttpResponse {
  const text = `{\n  "error" : ${JSON.stringify(message)}\n}\n`
  return jsonResponse(
    status,
    text,
    headers.length === 0 ? jsonHeaders : [...jsonHeaders, ...headers],
  )
}
