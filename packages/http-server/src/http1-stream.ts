import type { Socket } from 'node:net'
import type { OutgoingStream } from './exchange.ts'
import type { Http1Exchange } from './http1-exchange.ts'
import type { RawHeaders } from './message.ts'

/**
 * An answer that goes on, framed by the end of its connection: so the bytes written are those on the wire,
 * and go to the socket without a detour.
 */
export class Http1Stream implements OutgoingStream {
  onDrain: (() => void) | undefined
  readonly #exchange: Http1Exchange
  readonly #socket: Socket

  constructor(exchange: Http1Exchange, status: number, headers: RawHeaders) {
    this.#exchange = exchange
    const { connection, message, response } = exchange
    const { socket } = connection
    this.#socket = socket
    connection.closeWhenIdle()
    // What comes behind could never be answered.
    connection.holdNext()
    response.shouldKeepAlive = false
    response.useChunkedEncodingByDefault = false
    response.writeHead(status, headers as string[])
    response.flushHeaders()
    const onDrain = (): void => this.onDrain?.()
    // While it waits behind another answer it has no socket, and tells of one itself.
    response.on('drain', onDrain)
    socket.on('drain', onDrain)
    // Nobody listens behind a side that was closed: a client closes both at once, and the second end would
    // only be seen by a write that fails.
    const end = (): void => {
      socket.destroySoon()
    }
    if (socket.readableEnded) end()
    else socket.once('end', end)
    socket.resume()
    message.resume()
    // They are a good part of what a stream holds that may be open for days.
    message.headers = {}
    message.rawHeaders = []
  }

  get pendingBytes(): number {
    const { response } = this.#exchange
    return response.socket === null ? response.writableLength : this.#socket.writableLength
  }

  write(bytes: Uint8Array): boolean {
    const { response } = this.#exchange
    // Another answer is before it on the connection.
    if (response.socket === null) return response.write(bytes)
    return this.#socket.write(bytes)
  }

  end(): void {
    this.#exchange.response.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
