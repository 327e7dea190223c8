import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { DirectExchange } from './direct-exchange.ts'
import { DirectRequests } from './direct-requests.ts'
import type { DirectAnswerer } from './direct-requests.ts'
import { refusalOf, tooManyConnections } from './http-context.ts'
import type { HttpContext } from './http-context.ts'
import { Http1Connection } from './http1-connection.ts'
import { Http1Exchange } from './http1-exchange.ts'
import { malformedResponse } from './malformed.ts'
import type { ParserError } from './malformed.ts'
import type { Answer, HttpResponse } from './message.ts'
import type { RequestMeter } from './metrics-meter.ts'
import { isSafe, methodNotAllowedResponse } from './method.ts'
import { http } from './node-modules.ts'
import { errorResponse } from './response.ts'
import { rawResponse } from './raw-response.ts'
import { send } from './send.ts'
import { KnownFields } from './simple-request.ts'
import { mayBeStream } from './streams/stream-request.ts'

/** A request that has been answered, and the exchange by which the answer is sent. */
interface Adopted {
  readonly exchange: DirectExchange
  heir?: Http1Exchange
}

/** Speaks HTTP/1.1: parses, keeps the limits, and keeps requests of one connection in order. */
export class Http1Server {
  readonly server: Server
  readonly #context: HttpContext
  readonly #connections = new Map<Duplex, Http1Connection>()
  /** Looks for clients that take nothing of their answers, while there are any clients. */
  #look: NodeJS.Timeout | undefined
  readonly #direct: DirectAnswerer
  /** The request that is read once more because its answer takes more than one piece. */
  #adopted: Adopted | undefined

  constructor(context: HttpContext) {
    this.#context = context
    this.server = this.#makeServer()
    this.#direct = {
      limits: context.limits,
      knownFields: new KnownFields(),
      answer: (exchange) => this.#answerDirect(exchange),
      answered(exchange) {
        if (!exchange.connection.finishedDirect()) return
        exchange.countAnswer?.(exchange.method, exchange.status)
      },
      adopt: (exchange, read) => this.#adopt(exchange, read),
    }
  }

  #makeServer(): Server {
    const { headersTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs, ...limits } =
      this.#context.limits
    const server = http.createServer({
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
        this.#reject(connection, methodNotAllowedResponse())
      }
    })
    return server
  }

  #onConnection(socket: Socket): void {
    const connection = new Http1Connection(socket)
    this.#connections.set(socket, connection)
    connection.onGone(() => this.#forget(socket))
    this.#look ??= setInterval(() => this.#endStalled(), this.#context.limits.writeTimeoutMs)
    if (this.#context.connections.add(connection)) this.#reject(connection, tooManyConnections())
    else DirectRequests.begin(connection, this.#direct)
  }

  #forget(socket: Socket): void {
    this.#connections.delete(socket)
    if (this.#connections.size > 0) return
    clearInterval(this.#look)
    this.#look = undefined
  }

  // Node's own timeout of a socket takes what comes for progress as well, be it a byte now and then.
  #endStalled(): void {
    for (const connection of this.#connections.values()) {
      if (connection.hasStalled()) connection.destroy()
    }
  }

  /** Ends a connection of which nothing is taken. */
  #reject(connection: Http1Connection, answer: HttpResponse): void {
    // Behind a last answer there is none, and a stream would have it among its events.
    if (isPastLast(connection)) return
    this.#context.meter?.rejected(answer.status)
    connection.endWith(rawResponse(answer))
  }

  #onRequest(message: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(message.socket)
    // What comes behind a last answer is not looked at, because it could not be answered.
    const adopted = this.#adopted
    if (connection === undefined) return
    if (isPastLast(connection) && adopted === undefined) return
    const { meter } = this.#context
    const exchange = new Http1Exchange(message, response, connection, this.#context.arriving)
    connection.begun(exchange)
    const countAnswer = adopted ? adopted.exchange.countAnswer : counterOf(meter)
    response.on('finish', () => {
      const isNew = connection.finished(exchange)
      if (isNew) countAnswer?.(exchange.method, response.statusCode)
    })
    exchange.countAnswer = countAnswer
    if (this.#isLast(connection) || isBadlyFramed(message)) connection.closeWhenIdle()
    if (adopted !== undefined) {
      adopted.heir = exchange
      return
    }
    const request = {
      isUnsafe: !isSafe(exchange.method),
      mayBeStream: response.socket === null && mayBeStream(exchange.url, exchange.headers),
      response,
    }
    if (connection.holds(request)) connection.hold(request, () => this.#answer(exchange))
    else this.#answer(exchange)
  }

  /** Whether nothing is taken any more behind what a connection has now. */
  #isLast(connection: Http1Connection): boolean {
    return this.#context.isClosing() && !connection.isCatchingUp
  }

  #answer(exchange: Http1Exchange): void {
    // While it was held, its body proved to be broken.
    if (exchange.isAnswered) return
    const answer = this.#refusalOf(exchange) ?? this.#context.handle(exchange)
    if (answer instanceof Promise) void this.#answerLater(exchange, answer)
    else this.#send(exchange, answer)
  }

  #answerDirect(exchange: DirectExchange): void {
    const { meter, isClosing, limits, handle } = this.#context
    exchange.countAnswer = counterOf(meter)
    if (isClosing()) exchange.connection.closeWhenIdle()
    const answer = refusalOf(exchange, '', limits) ?? handle(exchange)
    if (answer instanceof Promise) void this.#answerDirectLater(exchange, answer)
    else this.#sendDirect(exchange, answer)
  }

  async #answerDirectLater(exchange: DirectExchange, later: Promise<Answer>): Promise<void> {
    this.#sendDirect(exchange, await later)
  }

  #sendDirect(exchange: DirectExchange, answer: Answer): void {
    this.#send(exchange, answer)
    exchange.given()
  }

  #adopt(exchange: DirectExchange, read: () => void): Http1Exchange {
    const adopted: Adopted = { exchange }
    this.#adopted = adopted
    try {
      read()
    } finally {
      this.#adopted = undefined
    }
    if (adopted.heir === undefined) throw new Error('A request was not one when it was read again')
    return adopted.heir
  }

  #refusalOf(exchange: Http1Exchange): HttpResponse | undefined {
    const { message } = exchange
    const { httpVersion, headers, rawHeaders } = message
    if (isBadlyFramed(message)) return errorResponse(400, 'HTTP/1.0 has no Transfer-Encoding')
    const coding = headers['transfer-encoding']
    // One that does not end so is refused by the parser.
    if (coding !== undefined && /,\s*chunked$/i.test(coding)) {
      return errorResponse(501, `Transfer-Encoding '${coding}' is not supported`)
    }
    // Which of two hosts counts is told differently by each proxy, and a host may name a database.
    if (hasTwoHosts(rawHeaders)) return errorResponse(400, 'There are two Host headers')
    const host = httpVersion === '1.0' ? '' : headers.host
    return refusalOf(exchange, host, this.#context.limits)
  }

  async #answerLater(exchange: Http1Exchange, later: Promise<Answer>): Promise<void> {
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

  #send(exchange: Http1Exchange | DirectExchange, answer: Answer): void {
    exchange.settled()
    // It was begun before, and is the last one now.
    if (this.#isLast(exchange.connection)) exchange.connection.closeWhenIdle()
    try {
      const sent = send(exchange, answer)
      if (sent !== undefined) void this.#whileSent(exchange, sent)
    } catch (error) {
      this.#breakOff(exchange, error)
    }
  }

  async #whileSent(exchange: Http1Exchange | DirectExchange, sent: Promise<void>): Promise<void> {
    exchange.connection.holdNext()
    try {
      await sent
    } catch (error) {
      this.#breakOff(exchange, error)
    }
    exchange.connection.releaseNext()
  }

  #breakOff(exchange: Http1Exchange | DirectExchange, error: unknown): void {
    exchange.breakOff()
    this.#context.log.error({ err: error }, 'An answer broke off')
  }

  // Nothing moved on the connection for a while.
  #onTimeout(socket: Socket): void {
    if (this.#connections.get(socket)?.isIdle !== false) socket.destroy()
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

/** Whether the last answer of a connection is known. */
function isPastLast({ isFinal, isCatchingUp }: Http1Connection): boolean {
  return isFinal && !isCatchingUp
}

/** What counts an answer when it has left. Apart, so that it keeps nothing else of the request. */
function counterOf(meter: RequestMeter | undefined): Http1Exchange['countAnswer'] {
  if (meter === undefined) return undefined
  const begunAt = meter.begun()
  return (method, status) => meter.answered(method, status, begunAt)
}

/**
 * Whether others may see other requests in the same bytes, so that nothing behind this one is to be believed:
 * https://www.rfc-editor.org/rfc/rfc9112#section-6.1-16
 */
function isBadlyFramed({ httpVersion, headers }: IncomingMessage): boolean {
  return httpVersion === '1.0' && headers['transfer-encoding'] !== undefined
}

function hasTwoHosts(rawHeaders: readonly string[]): boolean {
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  return hosts > 1
}
