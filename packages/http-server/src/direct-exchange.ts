import type { Exchange, OutgoingStream } from './exchange.ts'
import { answerHead } from './answer-head.ts'
import type { Http1Connection } from './http1-connection.ts'
import type { Http1Exchange } from './http1-exchange.ts'
import type { Answer, HttpRequest, RawHeaders } from './message.ts'
import type { SimpleRequest } from './simple-request.ts'
import { textOfBody } from './text-of-body.ts'

/** What an exchange needs of the connection that it is read from. */
export interface DirectWay {
  readonly connection: Http1Connection
  readonly keepAliveMs: number
  /** Aborted when the connection has gone. */
  readonly signal: AbortSignal
  /** The last bytes of an answer are these. */
  send(head: string, body: Uint8Array | undefined): void
  /** Lets Node's HTTP server read the request once more, for an answer that takes more than one piece. */
  handOver(): Http1Exchange
  /** All is said about that answer: it may go on with what comes behind it. */
  handedOver(): void
}

/** A simple request and its answer. What it cannot send in one piece, it leaves to Node's HTTP server. */
export class DirectExchange implements Exchange {
  readonly method: string
  readonly url: string
  readonly headers: HttpRequest['headers']
  readonly body: Uint8Array | undefined
  /** Of the answer, once it is known. */
  status = 0
  /** To be called when the answer has left. */
  countAnswer: Http1Exchange['countAnswer']
  readonly #way: DirectWay
  /** Who sends the answer instead. */
  #heir: Http1Exchange | undefined

  constructor({ method, url, headers, body }: SimpleRequest, way: DirectWay) {
    this.method = method
    this.url = url
    this.headers = headers
    this.body = body
    this.#way = way
  }

  get connection(): Http1Connection {
    return this.#way.connection
  }

  get signal(): AbortSignal {
    return this.#way.signal
  }

  get remoteAddress(): string | undefined {
    return this.connection.socket.remoteAddress
  }

  get isGone(): boolean {
    return this.connection.isGone
  }

  get isAnswered(): boolean {
    return this.status !== 0
  }

  onGone(listener: () => void): void {
    this.connection.onGone(listener)
  }

  offGone(listener: () => void): void {
    this.connection.offGone(listener)
  }

  settled(): void {
    // Its signal is that of the connection.
  }

  sendWhole({ status, headers }: Answer, body: Uint8Array | undefined): void {
    const { keepAliveMs } = this.#way
    const head = answerHead({ status, headers, length: body?.length, keepAliveMs })
    this.status = status
    const sent = this.method === 'HEAD' ? undefined : body
    const text = sent && textOfBody(sent)
    if (text === undefined) this.#way.send(head, sent)
    else this.#way.send(head + text, undefined)
  }

  sendHead(answer: Answer): void {
    this.#handOver(answer.status).sendHead(answer)
  }

  write(bytes: Uint8Array): boolean {
    return this.#heir!.write(bytes)
  }

  writeThrough(bytes: Uint8Array): Promise<void> {
    return this.#heir!.writeThrough(bytes)
  }

  drained(): Promise<void> {
    return this.#heir!.drained()
  }

  end(): void {
    this.#heir!.end()
  }

  breakOff(): void {
    this.connection.destroy()
  }

  openStream(status: number, headers: RawHeaders): OutgoingStream {
    return this.#handOver(status).openStream(status, headers)
  }

  /** To be called when the answer was given to one of these methods. */
  given(): void {
    if (this.#heir !== undefined) this.#way.handedOver()
  }

  #handOver(status: number): Http1Exchange {
    this.status = status
    return (this.#heir = this.#way.handOver())
  }
}
