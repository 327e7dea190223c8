import type { OutgoingStream } from './exchange.ts'

/** A request as a handler sees it: no socket, no thread. */
export interface HttpRequest {
  /** In capitals, as on the wire. */
  readonly method: string
  /** Path and query as they were sent, percent-encoding included. */
  readonly url: string
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** `undefined` where the request has none. Iterated once at most, and only if it is wanted. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array> | undefined
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
  /** Where it came from, as far as that is known. */
  readonly remoteAddress?: string | undefined
  /** When it came, as `performance.now()` gives it, where it may have waited since. Default: now. */
  readonly cameAt?: number
}

/**
 * The header fields that decide about an answer. What a request says otherwise stays with its socket:
 * a thread that answers for another one is told no more than these.
 */
export const decisiveHeaders = [
  'accept',
  'access-control-request-headers',
  'authorization',
  'content-encoding',
  'content-length',
  'idempotency-key',
  'if-match',
  'if-none-match',
  'last-event-id',
  'x-firebase-etag',
  'x-http-method-override',
] as const

/** Those, and what decides in some servers only. */
export type DecisiveHeaders = Readonly<
  Partial<
    Record<
      (typeof decisiveHeaders)[number] | 'accept-encoding' | 'host',
      string | readonly string[] | undefined
    >
  >
>

/** The part of a request that is known before its body. */
export interface HttpRequestHead extends Pick<HttpRequest, 'method' | 'url'> {
  readonly headers: DecisiveHeaders
}

/** Names and values in turn, without those that frame the message, such as `Content-Length`. */
export type RawHeaders = readonly string[]

export interface HttpResponse {
  readonly status: number
  readonly headers: RawHeaders
  /**
   * The bytes, at once or block by block. Who takes blocks ends the iterator in every case, because
   * they may come from an open snapshot. The answer to `HEAD` has the body that `GET` would have:
   * it says what the headers are, and is not sent.
   */
  readonly body?: Uint8Array | Iterable<Uint8Array>
  /**
   * When a body in blocks has to have left, as `performance.now()` gives it: what has not is broken off, so
   * that it does not look like all of it. Default: whenever its client has taken it.
   */
  readonly deadline?: number | undefined
}

/** What a listener sends: blocks may also come from another thread. */
export interface Answer extends Omit<HttpResponse, 'body'> {
  readonly body?: HttpResponse['body'] | AsyncIterable<Uint8Array>
  /** Takes over the way to the client, in the place of a body, for an answer that goes on. */
  readonly stream?: TakeStream
}

/** @param onGone Calls its listener once when the client has gone. */
type TakeStream = (stream: OutgoingStream, onGone: (listener: () => void) => void) => void

/** Answers a request. Never throws and never rejects. */
export type RequestHandler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>
