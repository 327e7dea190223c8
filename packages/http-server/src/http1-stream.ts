import type { ServerResponse } from 'node:http'
import process from 'node:process'
import type { OutgoingStream } from './exchange.ts'
import type { Http1Connection } from './http1-connection.ts'
import type { Http1Exchange } from './http1-exchange.ts'
import type { RawHeaders } from './message.ts'
import { PartWriter } from './part-writer.ts'
import { readOn } from './read-on.ts'
import { writeCopy } from './write-copy.ts'

/**
 * An answer that goes on, framed by the end of its connection: so the bytes written are those on the wire,
 * and go to the socket without a detour.
 */
export class Http1Stream implements OutgoingStream {
  readonly #connection: Http1Connection
  readonly #writer: PartWriter
  /** Until it has left HTTP. With TLS it never does. */
  #response: ServerResponse | undefined
  #isEnded = false
  readonly #method: string
  readonly #status: number
  readonly #countAnswer: Http1Exchange['countAnswer']

  /** @param exchange Whose answer is the first on the connection. */
  constructor(exchange: Http1Exchange, status: number, headers: RawHeaders) {
    const { connection, message, response, method, countAnswer } = exchange
    this.#connection = connection
    this.#writer = new PartWriter(connection.socket)
    this.#response = response
    this.#method = method
    this.#status = status
    this.#countAnswer = countAnswer
    connection.closeWhenIdle()
    connection.forgetFarewell()
    // What comes behind could never be answered.
    connection.holdNext()
    response.shouldKeepAlive = false
    response.useChunkedEncodingByDefault = false
    response.writeHead(status, headers as string[])
    response.flushHeaders()
    this.#listen()
    message.resume()
    // Behind what the parser does with this request.
    process.nextTick(() => this.#leaveHttp())
  }

  get onDrain(): (() => void) | undefined {
    return this.#writer.onDrain
  }

  set onDrain(listener: (() => void) | undefined) {
    this.#writer.onDrain = listener
  }

  get pendingBytes(): number {
    return this.#writer.pendingBytes
  }

  write(bytes: Uint8Array): boolean {
    return this.#writer.write(bytes)
  }

  writeLent(bytes: Uint8Array, release: () => void): boolean {
    // TLS makes bytes of its own.
    if (this.#response !== undefined) return writeCopy(this, bytes, release)
    return this.#writer.write(bytes, release)
  }

  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#writer.end(() => {
      if (this.#response !== undefined) this.#response.end()
      else if (this.#connection.finishedStream()) this.#countAnswer?.(this.#method, this.#status)
    })
  }

  destroy(): void {
    this.#connection.socket.destroy()
  }

  #leaveHttp(): void {
    const response = this.#response
    const { socket } = this.#connection
    if (this.#isEnded || response === undefined || socket.destroyed) return
    this.#connection.forgetHeld()
    // With TLS the socket has listeners that it cannot do without.
    if ('encrypted' in socket) return
    this.#response = undefined
    response.detachSocket(socket)
    this.#connection.leaveHttp()
    this.#listen()
  }

  #listen(): void {
    const { socket } = this.#connection
    socket.on('drain', this.#writer.drained)
    // Nobody listens behind a side that was closed: a client closes both at once, and the second end would
    // only be seen by a write that fails.
    if (socket.readableEnded) socket.destroySoon()
    else socket.once('end', this.#bothClosed)
    readOn(socket)
  }

  readonly #bothClosed = (): void => this.#connection.socket.destroySoon()
}
