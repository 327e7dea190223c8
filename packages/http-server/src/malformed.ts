import type { HttpResponse } from './message.ts'
import { methodNotAllowedResponse } from './method.ts'
import { errorResponse } from './response.ts'

/** What Node says about bytes that are no request. */
export interface ParserError extends Error {
  readonly code?: string
  readonly reason?: string
  readonly rawPacket?: Uint8Array
  /** Where in that the problem is. */
  readonly bytesParsed?: number
}

const answers: Readonly<Record<string, readonly [status: number, text: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request took too long to arrive'],
  HPE_HEADER_OVERFLOW: [431, 'The head of the request is too large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'Payload is too large'],
  HPE_INVALID_EOF_STATE: [400, 'The connection ended before the request was complete'],
}

/** The answer to a client that doesn't speak HTTP, or too slowly; `undefined` if it has gone. */
export function malformedResponse(error: ParserError): HttpResponse | undefined {
  const { code = '', reason } = error
  if (code === 'HPE_INVALID_METHOD' && isRequest(error)) {
    return methodNotAllowedResponse()
  }
  const answer = answers[code]
  if (answer !== undefined) return errorResponse(...answer)
  if (!code.startsWith('HPE_')) return undefined
  return errorResponse(400, `Malformed HTTP request${reason ? `: ${reason}` : ''}`)
}

const requestLine = /^[!#$%&'*+.^`|~\w-]+ \S+ HTTP\/1\.[01]\r?\n/

// Node knows a list of methods, and takes any other one for nonsense.
function isRequest({ rawPacket = Buffer.of(), bytesParsed = 0 }: ParserError): boolean {
  const start = rawPacket.lastIndexOf(lineFeed, bytesParsed) + 1
  const line = Buffer.from(rawPacket.subarray(start, start + maxLineBytes)).toString('latin1')
  return requestLine.test(line)
}

const lineFeed = 0x0a
const maxLineBytes = 1024
