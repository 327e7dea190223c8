import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { ClientConnection } from './client-connections.ts'
import { refusalOf, tooManyConnections } from './http-context.ts'
import type { HttpContext } from './http-context.ts'
import { Http2Exchange } from './http2-exchange.ts'
import { lingerMs } from './http1-connection.ts'
import { headerGraceBytes } from './limits.ts'
import type { HttpLimits } from './limits.ts'
import type { Answer, HttpResponse } from './message.ts'
import { methodNotAllowedResponse, onlyReads } from './method.ts'
import { http2 } from './node-modules.ts'
import { failureResponse } from './failure.ts'
import { OwnWindows } from './own-windows.ts'
import { partBytes } from './part-writer.ts'
import { tooMuchData } from './read.ts'
import { errorResponse } from './response.ts'
import { giveUpAnswer, isBlocks, send } from './send.ts'
import { takenBytes } from './taken-bytes.ts'
import { WholeAnswers } from './whole-answers.ts'

// What may come before it is read, of one request and of all together. A connection alone would be held
// to 64 KiB a round trip by the defaults.
const streamWindowBytes = 256 * 1024
const connectionWindowBytes = 1024 * 1024

// Of one connection Node resets what is begun while more is held: by default from 10 MB on, which is for heads, states, and
// bodies that come.
const sessionMegabytes = 10

/**
 * The same with what waits for the client. Of each request that may be a part is on its way, and another one behind what was
 * written in smaller ones; a client that is slow to take many streams would be kept from everything else.
 */
function maxSessionMemory({ maxConcurrentStreams }: Required<HttpLimits>): number {
  return sessionMegabytes + Math.ceil((maxConcurrentStreams * 2 * partBytes) / 1e6)
}

// Of all answers in blocks that there may be, one connection may have this part.
const largePart = 1 / 8

/** Speaks HTTP/2 with a client that has agreed to it. */
export function takeHttp2(socket: TLSSocket, context: HttpContext): void {
  const connection = new Http2Connection(socket, context)
  if (context.connections.add(connection)) connection.refuse(tooManyConnections())
}

/**
 * One client's connection: any number of requests at once, in any order. Floods of resets, pings, settings
 * and continuations are ended by nghttp2.
 */
class Http2Connection implements ClientConnection {
  readonly #socket: TLSSocket
  readonly #session: ServerHttp2Session
  readonly #context: HttpContext
  readonly #windows: OwnWindows
  readonly #onGone = new Set<() => void>()
  /** Closes a connection on which nothing is asked. Pings keep nothing open. */
  #idle: NodeJS.Timeout
  #streams = 0
  #unanswered = 0
  /** Answers in blocks that are being sent. */
  #large = 0
  /** Requests for more of them than the connection may have, to be answered anew when it may. */
  readonly #waiting = new Set<Http2Exchange>()
  readonly #whole = new WholeAnswers<Http2Exchange>((exchange) => {
    // All of a connection that has gone are, before the first of them says so.
    if (!exchange.isGone) this.#answer(exchange)
  })
  /** What every request is told that still comes. */
  #refusal: HttpResponse | undefined

  constructor(socket: TLSSocket, context: HttpContext) {
    const { limits } = context
    this.#socket = socket
    this.#context = context
    this.#session = http2().performServerHandshake(socket, {
      settings: {
        enablePush: false,
        initialWindowSize: streamWindowBytes,
        maxConcurrentStreams: limits.maxConcurrentStreams,
        maxHeaderListSize: limits.maxHeaderBytes + headerGraceBytes,
      },
      // None is refused for their number: that of bytes is limited.
      maxHeaderListPairs: 0xffff_ffff,
      maxSessionMemory: maxSessionMemory(limits),
    })
    this.#session.setLocalWindowSize(connectionWindowBytes)
    this.#windows = new OwnWindows(this.#session, socket)
    this.#idle = setTimeout(() => this.closeWhenIdle(), limits.headersTimeoutMs)
    this.#session.on('stream', (stream, headers, _flags, raw) => {
      this.#onStream(stream, headers, raw)
    })
    // Whatever happens to them, both close.
    this.#session.on('error', () => {})
    socket.on('error', () => {})
    // Its socket may be half-open for HTTP/1.1. Here a client that has closed its side could not even say that
    // it takes what it is sent, and is gone.
    socket.once('end', () => this.destroy())
    this.#session.once('close', () => this.#lingers())
    socket.once('close', () => this.#gone())
  }

  onGone(listener: () => void): void {
    this.#onGone.add(listener)
  }

  takeUnanswered(): number {
    const unanswered = this.#unanswered
    this.#unanswered = 0
    return unanswered
  }

  closeWhenIdle(): void {
    clearTimeout(this.#idle)
    // Tells the client which requests are still answered, and closes behind the last of them.
    if (!this.#session.closed) this.#session.close()
  }

  destroy(): void {
    this.#session.destroy()
    this.#socket.destroy()
  }

  /** Answers this to whatever comes, and closes. */
  refuse(refusal: HttpResponse): void {
    this.#context.meter?.rejected(refusal.status)
    this.#refusal = refusal
    const timer = setTimeout(() => this.destroy(), lingerMs)
    this.onGone(() => clearTimeout(timer))
  }

  #onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, raw: readonly string[]): void {
    const exchange = new Http2Exchange(stream, headers, raw, this.#context.arriving)
    if (this.#refusal !== undefined) {
      exchange.sendWhole(this.#refusal, this.#refusal.body as Uint8Array)
      this.closeWhenIdle()
      return
    }
    this.#begun(stream)
    this.#count(exchange)
    this.#limit(exchange)
    if (onlyReads(exchange)) this.#answerInTurn(exchange)
    else this.#answer(exchange)
  }

  #answerInTurn(exchange: Http2Exchange): void {
    exchange.onGone(() => this.#whole.delete(exchange))
    this.#whole.add(exchange)
  }

  #answer(exchange: Http2Exchange): void {
    const answer = this.#refusalOf(exchange) ?? this.#context.handle(exchange)
    if (answer instanceof Promise) void this.#answerLater(exchange, answer)
    else void this.#send(exchange, answer)
  }

  #begun(stream: ServerHttp2Stream): void {
    clearTimeout(this.#idle)
    this.#streams++
    stream.once('close', () => {
      this.#streams--
      if (this.#streams === 0) this.#closeLater(this.#context.limits.keepAliveTimeoutMs)
    })
  }

  #closeLater(timeoutMs: number): void {
    if (this.#session.closed) return
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => this.closeWhenIdle(), timeoutMs)
  }

  #count({ stream, method }: Http2Exchange): void {
    const { meter } = this.#context
    if (meter === undefined) return
    const begunAt = meter.begun()
    this.#unanswered++
    stream.once('close', () => {
      if (this.#unanswered === 0) return
      this.#unanswered--
      // Of a client that has gone Node says neither that it aborted a request which was answered, nor that it reset it.
      // And of a request with a body it says this before its answer has "finished".
      const isSent =
        stream.headersSent &&
        (stream.writableFinished || !this.#session.destroyed) &&
        !stream.aborted &&
        stream.rstCode === http2().constants.NGHTTP2_NO_ERROR
      if (isSent) meter.answered(method, Number(stream.sentHeaders[':status']), begunAt)
      else meter.abandoned()
    })
  }

  /** Ends a request that takes too long to arrive, and an answer that nobody takes. */
  #limit(exchange: Http2Exchange): void {
    const { stream } = exchange
    const { requestTimeoutMs, writeTimeoutMs } = this.#context.limits
    let taken = 0
    // Node's own timeout of a stream takes what leaves of others for progress of this one.
    const look = setInterval(() => {
      const takenBefore = taken
      taken = takenBytes(this.#socket)
      if (!exchange.hasStalled()) return
      // One that waits behind others is late, not stalled, where as much of those leaves as would have to of itself.
      if (taken - takenBefore < partBytes) this.#endStalled(stream)
      else if (!stream.closed) this.#windows.ask(exchange, () => reset(stream))
    }, writeTimeoutMs)
    stream.on('drain', this.#windows.look)
    stream.once('close', () => {
      clearInterval(look)
      this.#windows.forget(exchange)
      this.#windows.look()
    })
    // Nobody waits for the body of what only reads: that may be unread until its turn has come.
    if (stream.endAfterHeaders || onlyReads(exchange)) return
    const timer = setTimeout(() => {
      if (exchange.isAnswered) return
      void this.#send(exchange, errorResponse(408, 'The request took too long to arrive'))
      exchange.body?.abort()
    }, requestTimeoutMs)
    const clear = (): void => clearTimeout(timer)
    stream.once('end', clear)
    stream.once('close', clear)
  }

  #endStalled(stream: ServerHttp2Stream): void {
    // Where not even the reset leaves, Node may never say that the client has gone: all of its requests wait for
    // a write that neither ends nor fails.
    if (stream.closed) this.destroy()
    else reset(stream)
  }

  #refusalOf(exchange: Http2Exchange): HttpResponse | undefined {
    const { limits } = this.#context
    if (exchange.method === 'CONNECT') return methodNotAllowedResponse()
    if (exchange.headerBytes > limits.maxHeaderBytes) {
      return errorResponse(431, 'The head of the request is too large')
    }
    // Node's parser of HTTP/1.1 refuses it by itself. Here it would read each byte as a character.
    if (/[^\u0021-\u007e]/.test(exchange.url)) {
      return errorResponse(400, 'Invalid path: What is not ASCII has to be percent-encoded')
    }
    return refusalOf(exchange, exchange.host, limits)
  }

  async #answerLater(exchange: Http2Exchange, later: Promise<Answer>): Promise<void> {
    await this.#send(exchange, await later)
  }

  async #send(exchange: Http2Exchange, answer: Answer): Promise<void> {
    this.#sendingWhole(exchange, answer.body)
    this.#whole.answered(exchange)
    const isLarge = isBlocks(answer.body) && exchange.method !== 'HEAD'
    // What was written can't be answered anew.
    if (isLarge && !this.#mayBeginLarge && onlyReads(exchange) && !exchange.isGone) {
      giveUpAnswer(answer)
      this.#wait(exchange, answer.deadline)
      return
    }
    exchange.settled()
    if (isLarge) this.#large++
    try {
      await send(exchange, answer)
    } catch (error) {
      exchange.breakOff()
      this.#context.log.error({ err: error }, 'An answer broke off')
    }
    if (isLarge) this.#large--
    this.#beginWaiting()
  }

  #sendingWhole({ stream, method, isGone }: Http2Exchange, body: Answer['body']): void {
    if (!(body instanceof Uint8Array) || method === 'HEAD' || isGone) return
    this.#whole.sending(body.length)
    stream.once('close', () => this.#whole.left(body.length))
  }

  /** @param deadline When it is answered that its time is over. Default: never. */
  #wait(exchange: Http2Exchange, deadline: number | undefined): void {
    this.#waiting.add(exchange)
    const expire = (): void => {
      if (!this.#waiting.delete(exchange)) return
      void this.#send(exchange, failureResponse(tooMuchData(), this.#context.log))
    }
    const timer =
      deadline === undefined
        ? undefined
        : setTimeout(expire, Math.max(deadline - performance.now(), 0))
    exchange.onGone(() => {
      clearTimeout(timer)
      this.#waiting.delete(exchange)
    })
  }

  get #mayBeginLarge(): boolean {
    return this.#large < Math.ceil(this.#context.limits.maxStreamedAnswers * largePart)
  }

  // One only, as it shows in its answer alone whether it is large. When that has left, there is the next one.
  #beginWaiting(): void {
    if (this.#waiting.size === 0 || !this.#mayBeginLarge) return
    const [next] = this.#waiting
    this.#waiting.delete(next!)
    this.#answer(next!)
  }

  // The client has been told, and may not care to close its side.
  #lingers(): void {
    clearTimeout(this.#idle)
    if (this.#socket.destroyed) return
    const timer = setTimeout(() => this.#socket.destroy(), lingerMs)
    this.#socket.once('close', () => clearTimeout(timer))
  }

  #gone(): void {
    clearTimeout(this.#idle)
    for (const listener of this.#onGone) listener()
    this.#onGone.clear()
  }
}

function reset(stream: ServerHttp2Stream): void {
  stream.close(http2().constants.NGHTTP2_CANCEL)
}
