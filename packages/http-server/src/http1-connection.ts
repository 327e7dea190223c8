import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { ClientConnection } from './client-connections.ts'
import type { Http1Exchange } from './http1-exchange.ts'
import { leaveHttp } from './leave-http.ts'
import { Progress } from './progress.ts'
import { readOn } from './read-on.ts'
import { takenBytes } from './taken-bytes.ts'

// Most requests that wait behind another one before no more are read from the socket.
const maxHeld = 64

// Bytes of answers that may wait for a client before its next request does: a request takes a thousandth of
// what its answer may.
const maxUnsentBytes = 256 * 1024

// Safe requests that are being answered by other threads at one time, lest all of their answers come at once.
const maxAnswering = 32

/** How long a client may go on to send what nobody wants, so that it gets to read why. */
export const lingerMs = 2000

/** What decides for how long a request waits for those before it. */
interface RequestInTurn {
  readonly isUnsafe: boolean
  /** Whether its answer may go on without HTTP, and so end what is before it with the connection. */
  readonly mayBeStream: boolean
  /** Gets the socket when all answers before it have left. */
  readonly response: Pick<ServerResponse, 'socket'>
}

/** One client's connection, and what its requests in progress have to know of each other. */
export class Http1Connection implements ClientConnection {
  readonly socket: Socket
  /** No further request is taken from it. */
  isFinal = false
  /** What had come before that was known is taken nevertheless, until {@link closeWhenIdle}. */
  isCatchingUp = false
  #last: Http1Exchange | undefined
  #farewell: Uint8Array | undefined
  #isClosing = false
  /** Requests whose answers have not left. */
  #unanswered = 0
  /** Requests and answers that hold back what comes behind them. */
  #blocking = 0
  /** Answers to safe requests that are on their way from another thread. */
  #answering = 0
  /** Of the bodies of answers that have not left. */
  #unsentBytes = 0
  /** Whether it was ever paused because of {@link maxHeld}. */
  #hasPaused = false
  readonly #held: { readonly begin: () => void; readonly request: RequestInTurn }[] = []
  /** Whether the last answer goes on without HTTP, by {@link leaveHttp}. */
  #isStream = false
  /** Whether a request is being answered that Node's HTTP server knows nothing of. */
  #isDirect = false
  readonly #progress = new Progress()
  readonly #onGone = new Set<() => void>()
  /** What looks at the answers that wait for the socket. */
  readonly #awaited = new Set<() => void>()
  readonly #lookAtAwaited = (): void => {
    for (const look of this.#awaited) look()
  }
  readonly #close = (): void => this.#gone()

  constructor(socket: Socket) {
    this.socket = socket
    // Node takes its own listener away from a socket that it hands over for a tunnel, and a reset
    // would end the process then. Whatever happens to it, the socket closes.
    socket.on('error', ignore)
    socket.once('close', this.#close)
  }

  /** Whether no request waits for its answer. */
  get isIdle(): boolean {
    return this.#last === undefined && !this.#isStream && !this.#isDirect
  }

  get isGone(): boolean {
    return this.socket.destroyed
  }

  /** Whether something is to leave, and nothing has since this was asked last. */
  hasStalled(): boolean {
    return this.#progress.hasStalled(this.socket.writableLength, takenBytes(this.socket))
  }

  /** Whether its last bytes are known. */
  get isEnding(): boolean {
    return this.#isClosing || this.#farewell !== undefined
  }

  /**
   * The newest request, until its answer has left. All others leave before it does, so that nothing
   * is in progress where there is none.
   */
  get last(): Http1Exchange | undefined {
    return this.#last
  }

  begun(exchange: Http1Exchange): void {
    this.#last = exchange
    this.#unanswered++
  }

  /** The same for a request that goes past Node's HTTP server. */
  begunDirect(): void {
    this.#isDirect = true
    this.#unanswered++
  }

  /** That one goes there after all, and begins again. */
  leftDirect(): void {
    this.#isDirect = false
    this.#unanswered--
  }

  /** Its answer has left. Does not end the connection. @returns as {@link finished} does. */
  finishedDirect(): boolean {
    this.#isDirect = false
    return this.#answeredOne()
  }

  /** @returns whether it was still to be answered, and is not among {@link takeUnanswered}. */
  finished(exchange: Http1Exchange): boolean {
    const isNew = this.#answeredOne()
    this.#unsentBytes -= exchange.sentBytes
    if (this.#last === exchange) {
      this.#last = undefined
      if (this.isFinal) this.#end()
    } else {
      this.#beginHeld()
    }
    return isNew
  }

  /** So many bytes of an answer were handed over. */
  sending(bytes: number): void {
    this.#unsentBytes += bytes
  }

  /** How many requests never had an answer. Counts each once. */
  takeUnanswered(): number {
    const unanswered = this.#unanswered
    this.#unanswered = 0
    return unanswered
  }

  /** Calls `listener` once when the connection has gone. */
  onGone(listener: () => void): void {
    this.#onGone.add(listener)
  }

  offGone(listener: () => void): void {
    this.#onGone.delete(listener)
  }

  /**
   * Whether the next request has to wait: a `GET` that was sent behind a `PUT`, before the answer,
   * has to see what the `PUT` wrote, and one before a `PUT` must not see it. And one that was sent
   * behind an answer in blocks would hold another snapshot, and blocks in memory, until that has left. Whole answers
   * wait in memory as well, and a client need not take any. A stream has the connection for itself: it ends that when its
   * client closes its side or takes nothing, whatever else is on its way.
   */
  holds(request: RequestInTurn): boolean {
    return this.#held.length > 0 || this.#mustWait(request)
  }

  #mustWait({ isUnsafe, mayBeStream, response }: RequestInTurn): boolean {
    return (
      this.#blocking > 0 ||
      (mayBeStream && response.socket === null) ||
      this.#unsentBytes > maxUnsentBytes ||
      this.#answering >= (isUnsafe ? 1 : maxAnswering)
    )
  }

  /** Calls `begin` when no request before it stands in its way. */
  hold(request: RequestInTurn, begin: () => void): void {
    this.#held.push({ begin, request })
    if (this.#held.length !== maxHeld) return
    this.socket.pause()
    // Node resumes it at the end of each request, and when an answer has left behind which it had paused.
    if (!this.#hasPaused) this.socket.on('resume', () => this.#pause())
    this.#hasPaused = true
  }

  /** Forgets what was held, which is never answered, and reads on where that had paused the socket. */
  forgetHeld(): void {
    this.#held.length = 0
    readOn(this.socket)
  }

  /** Holds what comes behind until {@link releaseNext}. */
  holdNext(): void {
    this.#blocking++
  }

  releaseNext(): void {
    this.#blocking--
    this.#beginHeld()
  }

  /** Says that a safe request is being answered: others may be meanwhile, but nothing may be written. */
  beginSafe(): void {
    this.#answering++
  }

  endSafe(): void {
    this.#answering--
    this.#beginHeld()
  }

  #beginHeld(): void {
    while (this.#held.length > 0 && !this.isGone) {
      const next = this.#held[0]!
      if (this.#mustWait(next.request)) return
      this.#held.shift()
      if (this.#held.length === maxHeld - 1) readOn(this.socket)
      next.begin()
    }
  }

  #pause(): void {
    if (this.#held.length >= maxHeld) this.socket.pause()
  }

  /** Resolves when `response` takes more, or never will. */
  drained(response: ServerResponse): Promise<void> {
    const { socket } = this
    const { promise, resolve } = Promise.withResolvers<void>()
    // Not the response's own `close`: one that waits behind another has none when its socket goes.
    const done = (): void => {
      response.off('drain', done)
      this.#awaited.delete(look)
      if (this.#awaited.size === 0) socket.off('drain', this.#lookAtAwaited)
      this.offGone(done)
      resolve()
    }
    // Behind a request for a tunnel, Node does not tell the response any more what its socket does.
    const look = (): void => {
      if (response.writableLength === 0) done()
    }
    if (this.isGone) {
      resolve()
    } else {
      response.on('drain', done)
      if (this.#awaited.size === 0) socket.on('drain', this.#lookAtAwaited)
      this.#awaited.add(look)
      this.onGone(done)
    }
    return promise
  }

  /** Closes the connection when what was asked has been answered. */
  closeWhenIdle(): void {
    this.isFinal = true
    this.isCatchingUp = false
    if (this.#isStream || this.#isDirect) return
    if (this.#last === undefined) this.#end()
    else if (!this.#last.response.headersSent) this.#last.response.shouldKeepAlive = false
  }

  /** The same, with these bytes as the last ones. */
  endWith(farewell: Uint8Array): void {
    this.isFinal = true
    this.#farewell = farewell
    if (this.isIdle) this.#end()
  }

  /** What would have come behind the last answer is not sent behind a stream, whose end it would be taken for. */
  forgetFarewell(): void {
    this.#farewell = undefined
  }

  /**
   * Takes the connection from Node's HTTP server, and forgets the request whose answer goes on: most of
   * what a connection holds is only for further requests, and there will be none. What is sent is
   * {@link socket}'s business from then on, and what comes is read and ignored.
   */
  leaveHttp(): void {
    this.#isStream = true
    this.#last = undefined
    leaveHttp(this.socket)
    this.socket.on('error', ignore)
    this.socket.once('close', this.#close)
  }

  /** The answer behind {@link leaveHttp} was written. @returns as {@link finished} does. */
  finishedStream(): boolean {
    this.#isStream = false
    const isNew = this.#answeredOne()
    this.#end()
    return isNew
  }

  #answeredOne(): boolean {
    if (this.#unanswered === 0) return false
    this.#unanswered--
    return true
  }

  destroy(): void {
    this.socket.destroy()
  }

  #end(): void {
    if (this.#isClosing) return
    this.#isClosing = true
    const { socket } = this
    if (this.#farewell === undefined) {
      socket.destroySoon()
      return
    }
    socket.end(this.#farewell)
    // To close while the client still sends would reset the connection, and it might never see the
    // farewell. What it sends is read and forgotten meanwhile.
    const timer = setTimeout(() => socket.destroy(), lingerMs)
    this.onGone(() => clearTimeout(timer))
  }

  #gone(): void {
    this.#held.length = 0
    for (const listener of this.#onGone) listener()
    this.#onGone.clear()
  }
}

function ignore(): void {}
