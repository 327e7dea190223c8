import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { ArrivingBodies } from './arriving-bodies.ts'
import type { Exchange, OutgoingStream } from './exchange.ts'
import { Http2Stream } from './http2-stream.ts'
import { leftOrGone } from './left-or-gone.ts'
import type { Answer, HttpRequest, RawHeaders } from './message.ts'
import { http2 } from './node-modules.ts'
import { PartWriter, partBytes } from './part-writer.ts'
import { Progress } from './progress.ts'
import { RequestBody } from './request-body.ts'
import { RequestSignal } from './request-signal.ts'

/** One request of an HTTP/2 connection and its answer. Makes only what is asked for. */
export class Http2Exchange implements Exchange {
  readonly stream: ServerHttp2Stream
  readonly method: string
  readonly url: string
  readonly headers: HttpRequest['headers']
  // It may wait for others of its connection.
  readonly cameAt: number = performance.now()
  readonly #raw: RawHeaders
  readonly #arriving: ArrivingBodies
  #body: RequestBody | undefined
  #signal: RequestSignal | undefined
  readonly #onGone = new Set<() => void>()
  #writer: PartWriter | undefined
  readonly #progress = new Progress()

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    raw: RawHeaders,
    arriving: ArrivingBodies,
  ) {
    this.#arriving = arriving
    this.stream = stream
    this.method = headers[':method'] ?? ''
    this.url = headers[':path'] ?? ''
    // What HTTP/1.1 calls so, and what counts: https://www.rfc-editor.org/rfc/rfc9113#section-8.3.1
    if (headers[':authority'] !== undefined) headers.host = headers[':authority']
    this.headers = withAllConditions(headers, raw)
    this.#raw = raw
    // An aborted stream closes, and tells nothing new.
    stream.on('error', () => {})
    stream.once('close', () => this.#gone())
    if (!stream.endAfterHeaders) stream.once('finish', () => this.#giveUpBody())
  }

  /** What the request is sent to. */
  get host(): string | undefined {
    return this.#header(':authority') ?? this.#header('host')
  }

  /** About as many bytes as HTTP/1.1 would have for the head. */
  get headerBytes(): number {
    let bytes = 0
    for (const text of this.#raw) bytes += text.length + 2
    return bytes
  }

  get body(): RequestBody | undefined {
    const { stream } = this
    if (this.#body === undefined && !stream.endAfterHeaders) {
      this.#body = new RequestBody(stream, {
        length: Number(this.#header('content-length')),
        // They are parts of what was read, which the session may not be done with.
        isCopied: false,
        arriving: this.#arriving,
        // Node also says "end" of a stream that was reset.
        hasArrived: () => !stream.closed,
        prepare: () => {
          if (this.#header('expect') !== undefined && !stream.closed && !stream.headersSent) {
            stream.additionalHeaders({ ':status': 100 })
          }
        },
      })
    }
    return this.#body
  }

  get signal(): AbortSignal {
    return (this.#signal ??= new RequestSignal(this)).signal
  }

  get remoteAddress(): string | undefined {
    return this.stream.session?.socket.remoteAddress
  }

  get isGone(): boolean {
    return this.stream.closed || this.stream.destroyed
  }

  get isAnswered(): boolean {
    return this.stream.headersSent
  }

  onGone(listener: () => void): void {
    this.#onGone.add(listener)
  }

  offGone(listener: () => void): void {
    this.#onGone.delete(listener)
  }

  settled(): void {
    this.#signal?.forget()
  }

  sendWhole({ status, headers }: Answer, body: Uint8Array | undefined): void {
    const { stream } = this
    const fields = fieldsOf(status, headers)
    if (body !== undefined) fields['content-length'] = body.length
    const isBare = body === undefined || body.length === 0 || this.method === 'HEAD'
    stream.respond(fields, { endStream: isBare })
    if (isBare) return
    if (body.length <= partBytes) {
      stream.end(body)
      return
    }
    this.write(body)
    this.end()
  }

  sendHead({ status, headers }: Answer): void {
    this.stream.respond(fieldsOf(status, headers))
  }

  write(bytes: Uint8Array): boolean {
    return this.#parts.write(bytes)
  }

  writeThrough(bytes: Uint8Array): Promise<void> {
    return leftOrGone(this, (done) => this.#parts.write(bytes, done))
  }

  drained(): Promise<void> {
    return leftOrGone(this, (done) => (this.#parts.onDrain = done))
  }

  end(): void {
    if (this.#writer === undefined) this.stream.end()
    else this.#writer.end(() => this.stream.end())
  }

  get pendingBytes(): number {
    return this.#writer?.pendingBytes ?? this.stream.writableLength
  }

  /** How much has left of an answer that does not leave as a whole. */
  get leftBytes(): number {
    return this.#writer?.leftBytes ?? 0
  }

  /** Whether something is to leave, and nothing has since this was asked last. */
  hasStalled(): boolean {
    return this.#progress.hasStalled(this.pendingBytes, this.leftBytes)
  }

  breakOff(): void {
    this.stream.close(http2().constants.NGHTTP2_INTERNAL_ERROR)
  }

  openStream(status: number, headers: RawHeaders): OutgoingStream {
    this.stream.respond(fieldsOf(status, headers))
    return new Http2Stream(this.stream, this.#parts)
  }

  get #parts(): PartWriter {
    if (this.#writer === undefined) {
      this.#writer = new PartWriter(this.stream)
      this.stream.on('drain', this.#writer.drained)
    }
    return this.#writer
  }

  #header(name: string): string | undefined {
    const value = this.headers[name]
    return value === undefined ? undefined : String(value)
  }

  // Whoever answers need not read all of the body. A stream that has come to neither end of its two sides stays, with
  // what has come: Node closes it only where nobody has begun to read.
  #giveUpBody(): void {
    const { stream } = this
    if (stream.readableEnded) return
    this.#body?.abort()
    stream.resume()
    // By then all has been thrown away that had come. If the end was not among it, the client is told that nobody wants
    // the rest, which is no error: https://www.rfc-editor.org/rfc/rfc9113#section-8.1-7
    setImmediate(() => {
      if (!stream.readableEnded) stream.close()
    })
  }

  #gone(): void {
    for (const listener of this.#onGone) listener()
    this.#onGone.clear()
  }
}

function fieldsOf(status: number, headers: RawHeaders): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = { ':status': status }
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!.toLowerCase()
    const value = headers[index + 1]!
    const earlier = fields[name]
    fields[name] = earlier === undefined ? value : `${String(earlier)}, ${value}`
  }
  return fields
}

const conditions = ['if-match', 'if-none-match'] as const

/** With all conditions in each header, as HTTP/1.1 gives them: of several headers Node keeps the first. */
function withAllConditions(headers: IncomingHttpHeaders, raw: RawHeaders): HttpRequest['headers'] {
  if (headers['if-match'] === undefined && headers['if-none-match'] === undefined) return headers
  const all: Record<string, string | readonly string[] | undefined> = { ...headers }
  for (const name of conditions) {
    const values = raw.filter((_, index) => index % 2 === 1 && raw[index - 1] === name)
    if (values.length > 1) all[name] = values.join(', ')
  }
  return all
}
