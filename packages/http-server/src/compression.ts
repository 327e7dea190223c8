import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import type { AcceptedCodings, ContentCoding } from './content-coding.ts'
import { gzipBlocks, gzipLevel } from './gzip-blocks.ts'
import type { HttpResponse } from './message.ts'
import { withCoding, withVary } from './response.ts'
import { TransformedBlocks } from './transformed-blocks.ts'

/** From how many bytes on an answer is compressed, and how it may be for the client that asked. */
export interface Compression {
  readonly minBytes: number
  readonly accepted: AcceptedCodings
}

/**
 * Compresses an answer where its client takes that, in the calling thread: at once what is in one
 * piece, and block by block, while they are taken, what is not. An answer that would be another for
 * another `Accept-Encoding` says so in any case, to caches.
 */
export function compressed(
  response: HttpResponse,
  compression: Compression | undefined,
): HttpResponse {
  if (compression === undefined) return response
  const { minBytes, accepted } = compression
  if (response.status >= 400) return response
  const { status, headers, body } = response
  if (body === undefined) {
    // What the client has may be either form.
    return status === 304 ? { status, headers: withVary(headers) } : response
  }
  if (body instanceof Uint8Array) {
    if (body.length < minBytes) return response
    const coding = accepted[0]
    const small = coding && compress[coding](body)
    if (small === undefined || small.length >= body.length) {
      return { status, headers: withVary(headers), body }
    }
    return { status, headers: withCoding(headers, coding!), body: small }
  }
  // There is no way to make the pieces of `br` one after the other without a stream.
  if (!accepted.includes('gzip')) return { status, headers: withVary(headers), body }
  return {
    status,
    headers: withCoding(headers, 'gzip'),
    body: new TransformedBlocks(body, gzipBlocks),
  }
}

// Beyond this each step costs twice the time for a tenth of the bytes of JSON.
const brotliQuality = 4

const compress: Readonly<Record<ContentCoding, (body: Uint8Array) => Uint8Array>> = {
  br: (body) =>
    brotliCompressSync(body, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: brotliQuality,
        [constants.BROTLI_PARAM_SIZE_HINT]: body.length,
      },
    }),
  gzip: (body) => gzipSync(body, { level: gzipLevel }),
}
