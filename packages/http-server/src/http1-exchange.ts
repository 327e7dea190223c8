import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ArrivingBodies } from './arriving-bodies.ts'
import type { Exchange, OutgoingStream } from './exchange.ts'
import type { Http1Connection } from './http1-connection.ts'
import { lingerMs } from './http1-connection.ts'
import { leftOrGone } from './left-or-gone.ts'
import { Http1Stream } from './http1-stream.ts'
import type { Answer, HttpRequest, RawHeaders } from './message.ts'
import { maxParsedBytes } from './plan.ts'
import { RequestBody } from './request-body.ts'
import { RequestSignal } from './request-signal.ts'
import { textOfBody } from './text-of-body.ts'

/** One request of a connection and its answer. Makes only what is asked for. */
export class Http1Exchange implements Exchange {
  readonly message: IncomingMessage
  readonly response: ServerResponse
  readonly connection: Http1Connection
  /** To be called when the answer has left, by whoever does not leave that to the response. */
  countAnswer: ((method: string, status: number) => void) | undefined
  /** Of the body of an answer in one piece. */
  sentBytes = 0
  readonly #arriving: ArrivingBodies
  #body: RequestBody | undefined
  #signal: RequestSignal | undefined
  #hasContinued = false
  /** Whether nobody reads the rest of the body, and the connection ends with the answer. */
  #lingers = false

  constructor(
    message: IncomingMessage,
    response: ServerResponse,
    connection: Http1Connection,
    arriving: ArrivingBodies,
  ) {
    this.#arriving = arriving
    this.message = message
    this.response = response
    this.connection = connection
  }

  get method(): string {
    return this.message.method ?? ''
  }

  get url(): string {
    return this.message.url ?? ''
  }

  get headers(): HttpRequest['headers'] {
    return this.message.headers
  }

  get body(): RequestBody | undefined {
    if (this.#body === undefined && announcesBody(this.message)) {
      const { message, response } = this
      this.#body = new RequestBody(message, {
        length: Number(message.headers['content-length']),
        isCopied: true,
        arriving: this.#arriving,
        hasArrived: () => message.complete,
        prepare: () => {
          this.#hasContinued = true
          if (expectsContinue(message)) response.writeContinue()
        },
      })
    }
    return this.#body
  }

  /** The body where somebody has asked for it. */
  get openBody(): RequestBody | undefined {
    return this.#body
  }

  get signal(): AbortSignal {
    return (this.#signal ??= new RequestSignal(this)).signal
  }

  get remoteAddress(): string | undefined {
    return this.connection.socket.remoteAddress
  }

  get isGone(): boolean {
    return this.connection.isGone
  }

  get isAnswered(): boolean {
    return this.response.headersSent
  }

  onGone(listener: () => void): void {
    this.connection.onGone(listener)
  }

  offGone(listener: () => void): void {
    this.connection.offGone(listener)
  }

  settled(): void {
    this.#signal?.forget()
  }

  sendWhole({ status, headers }: Answer, body: Uint8Array | undefined): void {
    const { response } = this
    const lingers = announcesBody(this.message) && !this.#bodyWillBeRead()
    if (lingers) this.connection.closeWhenIdle()
    if (body === undefined) {
      // Neither 204 nor 304 says a length, and nothing else comes without a body.
      response.writeHead(status, headers as string[])
    } else {
      response.writeHead(status, [...headers, 'Content-Length', String(body.length)])
      this.sentBytes = body.length
      this.connection.sending(body.length)
    }
    if (lingers) return this.#linger(body)
    const text = body && textOfBody(body)
    if (text === undefined) response.end(body)
    else response.end(text, 'latin1')
  }

  sendHead({ status, headers }: Answer): void {
    if (announcesBody(this.message) && !this.#bodyWillBeRead()) {
      this.#lingers = true
      this.connection.closeWhenIdle()
      this.message.resume()
    }
    this.response.writeHead(status, headers as string[])
  }

  write(bytes: Uint8Array): boolean {
    return this.response.write(bytes)
  }

  writeThrough(bytes: Uint8Array): Promise<void> {
    return leftOrGone(this, (done) => this.response.write(bytes, done))
  }

  drained(): Promise<void> {
    return this.connection.drained(this.response)
  }

  end(): void {
    if (this.#lingers && !this.message.complete) this.#linger(undefined)
    else this.response.end()
  }

  breakOff(): void {
    this.connection.socket.destroy()
  }

  openStream(status: number, headers: RawHeaders): OutgoingStream {
    return new Http1Stream(this, status, headers)
  }

  /** Whether what is left of the body, if anything, is so little that it can be skipped. */
  #bodyWillBeRead(): boolean {
    const { message, connection } = this
    if (message.complete || connection.socket.readableEnded) return true
    // Nobody knows whether the body comes now: https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
    if (expectsContinue(message) && !this.#hasContinued) return false
    const left = Number(message.headers['content-length']) - (this.#body?.receivedBytes ?? 0)
    // Not a number for a body in chunks, which may go on for ever.
    if (!(left <= maxParsedBytes)) return false
    message.resume()
    return true
  }

  // To close while the client still sends would reset the connection, and the client might never see
  // the answer. So the answer leaves complete, and the connection ends when the client has.
  #linger(body: Uint8Array | undefined): void {
    const { message, response, connection } = this
    if (body !== undefined) response.write(body)
    const end = (): void => {
      clearTimeout(timer)
      response.end()
    }
    const timer = setTimeout(end, lingerMs)
    connection.onGone(end)
    connection.socket.once('end', end)
    message.once('end', end)
    message.resume()
  }
}

/** Whether a request announces a body, which may still be on its way. */
function announcesBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length']
  return (length !== undefined && length !== '0') || headers['transfer-encoding'] !== undefined
}

/** Whether the client waits for `100 Continue` before it sends the body. */
function expectsContinue({ headers, httpVersion }: IncomingMessage): boolean {
  return headers.expect !== undefined && httpVersion === '1.1'
}
