import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Server as NetServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Connection } from './connection.ts'
import { HttpServerError } from './errors.ts'
import { Exchange } from './exchange.ts'
import type { HttpLimits } from './limits.ts'
import type { Log } from './log.ts'
import { malformedResponse } from './malformed.ts'
import type { ParserError } from './malformed.ts'
import type { Answer, HttpRequest, HttpResponse } from './message.ts'
import type { RequestMeter } from './metrics-meter.ts'
import { isSafe } from './method.ts'
import { rawResponse } from './raw-response.ts'
import { errorResponse } from './response.ts'
import { send } from './send.ts'

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
  /** `http://host:port`, without a slash at the end. */
  readonly url: string
}

export interface ListenOptions {
  readonly host: string
  readonly port: number
}

/** Answers what is asked. Never throws and never rejects. */
export type Answerer = (request: HttpRequest) => Answer | Promise<Answer>

// Connections over the limit that are being told so; more are closed without a word.
const refusedAtOnce = 64

/**
 * Speaks HTTP/1.1 for a handler: parses, keeps the limits, and keeps requests of one connection in
 * order. Knows nothing of what is asked.
 */
export class HttpListener {
  readonly #handle: Answerer
  readonly #limits: Required<HttpLimits>
  readonly #log: Log
  readonly #meter: RequestMeter | undefined
  readonly #server: Server
  readonly #connections = new Map<Duplex, Connection>()
  /** How many of the connections are only being told that there are too many. */
  #refused = 0
  #state: 'new' | 'open' | 'closing' = 'new'
  #closed: Promise<void> | undefined

  constructor(handle: Answerer, limits: Required<HttpLimits>, log: Log, meter?: RequestMeter) {
    this.#handle = handle
    this.#limits = limits
    this.#log = log
    this.#meter = meter
    this.#server = this.#makeServer()
  }

  get isClosing(): boolean {
    return this.#state === 'closing'
  }

  /** Whether it has begun to listen, and not to close. */
  get isListening(): boolean {
    return this.#state === 'open' && this.#server.listening
  }

  /** @throws {HttpServerError} `ERR_SERVER_NOT_LISTENING` */
  get address(): ListenAddress {
    const address = this.#server.address() as AddressInfo | null
    if (address === null) {
      throw new HttpServerError(
        'ERR_SERVER_NOT_LISTENING',
        'Cannot tell the address: Not listening',
      )
    }
    const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
    return { host: address.address, port: address.port, url: `http://${host}:${address.port}` }
  }

  /**
   * @throws {HttpServerError} `ERR_SERVER_STARTED`, `ERR_SERVER_CLOSED`
   * @throws what `listen()` of Node gives, such as `EADDRINUSE`. It may be tried again then.
   */
  async start({ host, port }: ListenOptions): Promise<void> {
    this.checkNew()
    this.#state = 'open'
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#server.once('error', reject)
    this.#server.listen({ host, port }, resolve)
    try {
      await promise
    } catch (error) {
      this.#state = 'new'
      throw error
    } finally {
      this.#server.off('error', reject)
    }
  }

  /** @throws {HttpServerError} `ERR_SERVER_STARTED`, `ERR_SERVER_CLOSED` unless it can be started. */
  checkNew(): void {
    if (this.#state === 'closing') {
      throw new HttpServerError('ERR_SERVER_CLOSED', 'Cannot start: The server was closed')
    }
    if (this.#state === 'open') {
      throw new HttpServerError('ERR_SERVER_STARTED', 'Cannot start: The server was started before')
    }
  }

  /** Takes no more connections, lets what runs finish, and breaks off what is left at the deadline. */
  close(timeoutMs: number): Promise<void> {
    return (this.#closed ??= this.#close(timeoutMs))
  }

  async #close(timeoutMs: number): Promise<void> {
    const wasOpen = this.#state === 'open'
    this.#state = 'closing'
    if (!wasOpen) return
    const { promise, resolve } = Promise.withResolvers<void>()
    // Not the `close()` of the HTTP server, which destroys connections whose answer was handed over
    // and has not left, and stops looking for requests that take too long.
    NetServer.prototype.close.call(this.#server, () => resolve())
    for (const connection of this.#connections.values()) connection.closeWhenIdle()
    const deadline = setTimeout(() => {
      for (const socket of this.#connections.keys()) socket.destroy()
    }, timeoutMs)
    await promise
    clearTimeout(deadline)
    // Only its timer is still there.
    this.#server.close()
  }

  #makeServer(): Server {
    const { headersTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs, ...limits } = this.#limits
    const server = createServer({
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: Math.min(headersTimeoutMs, requestTimeoutMs),
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.ceil(Math.min(headersTimeoutMs, requestTimeoutMs) / 4),
      // Answered here, in JSON.
      requireHostHeader: false,
    })
    // None is dropped silently: the number of bytes is limited.
    server.maxHeadersCount = 0
    server.maxConnections = limits.maxConnections + refusedAtOnce
    server.timeout = limits.writeTimeoutMs
    // Else a client that closes its side when it has asked, as `nc` does, loses what is not answered
    // by then. Node has this switch, but not in its documentation.
    Object.assign(server, { httpAllowHalfOpen: true })
    server.on('connection', (socket: Socket) => this.#onConnection(socket))
    server.on('request', (message, response) => this.#onRequest(message, response))
    server.on('checkContinue', (message, response) => this.#onRequest(message, response))
    server.on('checkExpectation', (message, response) => this.#onRequest(message, response))
    server.on('timeout', (socket: Socket) => this.#onTimeout(socket))
    server.on('clientError', (error, socket) => this.#onClientError(error, socket))
    // A client that wants a tunnel. Node reads no more from its socket, and then nobody would notice
    // that the client has gone.
    server.on('connect', (_message, socket) => {
      socket.resume()
      const connection = this.#connections.get(socket)
      if (connection !== undefined) {
        this.#reject(connection, errorResponse(405, 'Method not allowed'))
      }
    })
    return server
  }

  #onConnection(socket: Socket): void {
    const connection = new Connection(socket)
    this.#connections.set(socket, connection)
    connection.onGone(() => this.#connections.delete(socket))
    this.#count(connection)
    const { maxConnections } = this.#limits
    if (this.#connections.size - this.#refused <= maxConnections) return
    this.#refused++
    connection.onGone(() => this.#refused--)
    this.#log.warn({ maxConnections }, 'A connection was refused, because there are too many')
    this.#reject(connection, errorResponse(503, 'Too many connections', ['Retry-After', '1']))
  }

  #count(connection: Connection): void {
    const meter = this.#meter
    if (meter === undefined) return
    meter.connections++
    connection.onGone(() => meter.gone(connection.takeUnanswered()))
  }

  /** Ends a connection of which nothing is taken. */
  #reject(connection: Connection, answer: HttpResponse): void {
    this.#meter?.rejected(answer.status)
    connection.endWith(rawResponse(answer))
  }

  #onRequest(message: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(message.socket)
    // What comes behind a last answer is not looked at, because it could not be answered.
    if (connection === undefined || connection.isFinal) return
    const exchange = new Exchange(message, response, connection)
    connection.begun(exchange)
    const begunAt = this.#meter?.begun()
    response.on('finish', () => {
      const isNew = connection.finished(response)
      if (begunAt !== undefined && isNew) {
        this.#meter?.answered(exchange.method, response.statusCode, begunAt)
      }
    })
    if (this.isClosing) connection.closeWhenIdle()
    const isUnsafe = !isSafe(exchange.method)
    if (connection.holds(isUnsafe)) connection.hold(isUnsafe, () => this.#answer(exchange))
    else this.#answer(exchange)
  }

  #answer(exchange: Exchange): void {
    // While it was held, its body proved to be broken.
    if (exchange.response.headersSent) return
    const answer = this.#refusal(exchange.message) ?? this.#handle(exchange)
    if (answer instanceof Promise) void this.#answerLater(exchange, answer)
    else this.#send(exchange, answer)
  }

  async #answerLater(exchange: Exchange, later: Promise<Answer>): Promise<void> {
    const { connection } = exchange
    if (isSafe(exchange.method)) {
      connection.beginSafe()
      this.#send(exchange, await later)
      connection.endSafe()
    } else {
      connection.holdNext()
      this.#send(exchange, await later)
      connection.releaseNext()
    }
  }

  #send(exchange: Exchange, answer: Answer): void {
    exchange.settled()
    try {
      const sent = send(exchange, answer)
      if (sent !== undefined) void this.#whileSent(exchange, sent)
    } catch (error) {
      this.#breakOff(exchange, error)
    }
  }

  async #whileSent(exchange: Exchange, sent: Promise<void>): Promise<void> {
    exchange.connection.holdNext()
    try {
      await sent
    } catch (error) {
      this.#breakOff(exchange, error)
    }
    exchange.connection.releaseNext()
  }

  // An answer that breaks off must not look like one that ended.
  #breakOff({ connection }: Exchange, error: unknown): void {
    connection.socket.destroy()
    this.#log.error({ err: error }, 'An answer broke off')
  }

  // What is wrong with a request whatever it asks.
  #refusal({ url, headers, httpVersion }: IncomingMessage): HttpResponse | undefined {
    if (url !== undefined && url.length > this.#limits.maxUrlBytes) {
      return errorResponse(414, 'The URL is too long')
    }
    if (httpVersion === '1.0') return undefined
    if (headers.host === undefined) return errorResponse(400, 'A Host header is missing')
    if (headers.expect !== undefined && !/^100-continue$/i.test(headers.expect)) {
      return errorResponse(417, "The only expectation that can be met is '100-continue'")
    }
    return undefined
  }

  // Nothing moved on the connection for a while.
  #onTimeout(socket: Socket): void {
    const connection = this.#connections.get(socket)
    const waitsForClient = socket.writableLength > 0
    if (connection?.last === undefined || waitsForClient) socket.destroy()
  }

  #onClientError(error: ParserError, socket: Duplex): void {
    const connection = this.#connections.get(socket)
    // Each further piece of what is no HTTP is reported again.
    if (connection?.isEnding === true) return
    const answer = malformedResponse(error)
    if (connection === undefined || answer === undefined || !socket.writable) {
      socket.destroy()
      return
    }
    const { last } = connection
    if (last === undefined || last.message.complete) {
      this.#reject(connection, answer)
    } else {
      // It is the body of this one that is broken.
      connection.closeWhenIdle()
      this.#send(last, answer)
      // A message that was answered is not told any more that its connection has ended.
      last.body?.abort()
    }
  }
}
