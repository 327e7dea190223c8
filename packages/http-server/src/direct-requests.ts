import type { Socket } from 'node:net'
import { DirectExchange } from './direct-exchange.ts'
import type { DirectWay } from './direct-exchange.ts'
import type { Http1Connection } from './http1-connection.ts'
import type { Http1Exchange } from './http1-exchange.ts'
import type { HttpLimits } from './limits.ts'
import { ReadMemory } from './read-memory.ts'
import { readOn } from './read-on.ts'
import { SimpleRequestReader } from './simple-request.ts'
import type { KnownFields } from './simple-request.ts'

/** What is done with the bytes of a socket. */
interface Listeners {
  readonly data: (bytes: Buffer) => void
  readonly end: () => void
}

/** Who answers requests, and counts the answers. */
export interface DirectAnswerer {
  readonly limits: Required<HttpLimits>
  readonly knownFields: KnownFields
  /** A request has come. */
  answer(exchange: DirectExchange): void
  /** Its answer has left. */
  answered(exchange: DirectExchange): void
  /** Takes what Node's server makes of a request, which `read` gives to it, and answers nothing. */
  adopt(exchange: DirectExchange, read: () => void): Http1Exchange
}

// What may wait behind a request before no more is read from the socket, in bytes.
const maxWaitingBytes = 64 * 1024

/**
 * Takes the requests of a connection past Node's HTTP server, which takes longer for each than to send and
 * receive it does. One at a time, and only as long as each is simple: from one that is not on, the connection
 * is Node's for the rest of its time. Node's server has the first request in any case, because it waits
 * for one: as it takes it whole, it has nothing of a further one, and its timer for connections that
 * rest is set.
 */
export class DirectRequests implements DirectWay {
  readonly connection: Http1Connection
  readonly #socket: Socket
  readonly #node: Listeners
  readonly #answerer: DirectAnswerer
  readonly #reader: SimpleRequestReader
  /** The request that is being answered, and its bytes. */
  #current: DirectExchange | undefined
  #bytes: Buffer | undefined
  /** What came behind it. */
  readonly #waiting: Buffer[] = []
  #waitingBytes = 0
  #signal: AbortSignal | undefined
  #isFirst = true
  #isOver = false
  #hasEnded = false
  /** Whether the answer says that nothing is taken behind it. */
  #isFarewell = false

  /** Begins to read, unless Node's server does other things with its sockets than it is known to. */
  static begin(connection: Http1Connection, answerer: DirectAnswerer): void {
    const node = listenersOf(connection.socket)
    if (node !== undefined) new DirectRequests(connection, node, answerer).#listen()
  }

  private constructor(connection: Http1Connection, node: Listeners, answerer: DirectAnswerer) {
    this.connection = connection
    this.#socket = connection.socket
    this.#node = node
    this.#answerer = answerer
    this.#reader = new SimpleRequestReader(answerer.knownFields, answerer.limits.maxHeaderBytes)
  }

  get keepAliveMs(): number {
    return this.#isLast ? 0 : this.#answerer.limits.keepAliveTimeoutMs
  }

  /** Whether nothing has come behind the request, and nothing more will be taken. */
  get #isLast(): boolean {
    return (this.connection.isFinal || this.#hasEnded) && this.#waiting.length === 0
  }

  get signal(): AbortSignal {
    if (this.#signal !== undefined) return this.#signal
    const controller = new AbortController()
    if (this.connection.isGone) controller.abort()
    else this.connection.onGone(() => controller.abort())
    return (this.#signal = controller.signal)
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#current !== undefined) return this.#wait(bytes)
    const { isFinal, isIdle } = this.connection
    const request = isFinal || !isIdle ? undefined : this.#reader.read(bytes)
    if (request === undefined) {
      this.#waiting.push(bytes)
      return this.#leave()
    }
    if (this.#isFirst) {
      this.#isFirst = false
      this.#node.data(bytes)
      return
    }
    this.#bytes = bytes
    this.#current = new DirectExchange(request, this)
    this.connection.begunDirect()
    this.#answerer.answer(this.#current)
  }

  readonly #onEnd = (): void => {
    if (this.#current === undefined) this.#node.end()
    else this.#hasEnded = true
  }

  readonly #direct: Listeners = { data: this.#onData, end: this.#onEnd }

  readonly #written = (error?: Error | null): void => {
    const exchange = this.#current
    if (exchange === undefined || error) return
    this.#forget()
    this.#answerer.answered(exchange)
    if (this.#waiting.length > 0 && !this.#isFarewell) this.#catchUp()
    else if (this.connection.isFinal || this.#hasEnded) this.connection.closeWhenIdle()
  }

  send(head: string, body: Uint8Array | undefined): void {
    const socket = this.#socket
    this.#isFarewell = this.#isLast
    if (body === undefined) {
      socket.write(head, 'latin1', this.#written)
    } else {
      socket.cork()
      socket.write(head, 'latin1')
      socket.write(body, this.#written)
      socket.uncork()
    }
  }

  handOver(): Http1Exchange {
    const exchange = this.#current!
    const bytes = this.#bytes!
    this.#forget()
    this.connection.leftDirect()
    // Else that answer would say that it is the last one.
    this.connection.isCatchingUp = this.#waiting.length > 0
    this.#letNodeListen()
    return this.#answerer.adopt(exchange, () => this.#node.data(bytes))
  }

  handedOver(): void {
    this.#catchUp()
  }

  #forget(): void {
    this.#current = undefined
    this.#bytes = undefined
  }

  #wait(bytes: Buffer): void {
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (this.#waitingBytes > maxWaitingBytes) this.#socket.pause()
  }

  /** Leaves the connection, and what came before it was known that it ends is answered like the rest. */
  #catchUp(): void {
    const { connection } = this
    connection.isCatchingUp = this.#waiting.length > 0
    this.#leave()
    connection.isCatchingUp = false
    if (connection.isFinal) connection.closeWhenIdle()
  }

  /** Leaves the connection to Node's server, and to that what has come and nobody has looked at. */
  #leave(): void {
    this.#letNodeListen()
    // In one piece: behind the first one it may want no more.
    if (this.#waiting.length > 0) this.#node.data(Buffer.concat(this.#waiting.splice(0)))
    if (this.#hasEnded) this.#node.end()
    if (this.#waitingBytes > maxWaitingBytes) readOn(this.#socket)
  }

  #listen(): void {
    this.#socket.off('data', this.#node.data).off('end', this.#node.end)
    this.#socket.on('data', this.#direct.data).on('end', this.#direct.end)
  }

  #letNodeListen(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#socket.off('data', this.#direct.data).off('end', this.#direct.end)
    const memory = new ReadMemory(() => this.connection.last?.openBody)
    this.#socket.on('data', memory.begin).on('data', this.#node.data).on('data', memory.end)
    this.#socket.on('end', this.#node.end)
  }
}

/**
 * The listeners of Node's HTTP server.
 * @returns `undefined` where they are not the ones that are known, as they are not with TLS: beneath it is another socket.
 */
export function listenersOf(socket: Socket): Listeners | undefined {
  if ('encrypted' in socket) return undefined
  const data = socket.listeners('data')
  const end = socket.listeners('end').at(-1)
  if (data.length !== 1 || data[0]?.name !== 'bound socketOnData') return undefined
  if (end?.name !== 'bound socketOnEnd') return undefined
  return { data: data[0], end } as object as Listeners
}
