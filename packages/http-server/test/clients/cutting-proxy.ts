import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { once } from 'node:events'

export interface CuttingProxyOptions {
  /** Where the server listens: a port of this machine, or a socket in the file system. */
  readonly server: { readonly port: number } | { readonly path: string }
  /** Bytes of the answer that are let through on the next connection. */
  readonly nextBytes: () => number
}

// Clients wait some seconds before they come back, and do what the stream says instead.
const retry = 'retry: 1\n\n'

/** An answer with that in front of its body, which proxies send in chunks. */
function withRetry(answer: Buffer, headEnd: number): Buffer {
  const head = answer.subarray(0, headEnd)
  const isChunked = /\r\ntransfer-encoding: chunked\r\n/i.test(head.toString('latin1'))
  const block = isChunked ? `${retry.length.toString(16)}\r\n${retry}\r\n` : retry
  return Buffer.concat([head, Buffer.from(block), answer.subarray(headEnd)])
}

/** Stands between clients and a server of event streams, and cuts each connection in the middle. */
export class CuttingProxy implements AsyncDisposable {
  readonly port: number
  /** Connections that were cut so far. */
  cuts = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #options: CuttingProxyOptions
  #isCutting = true

  static async start(options: CuttingProxyOptions): Promise<CuttingProxy> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new CuttingProxy(server, options)
  }

  constructor(server: Server, options: CuttingProxyOptions) {
    this.#server = server
    this.#options = options
    this.port = (server.address() as AddressInfo).port
    server.on('connection', (socket) => this.#onConnection(socket))
  }

  /** Leaves connections alone from now on, but for those that are open. */
  stop(): void {
    this.#isCutting = false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await once(this.#server, 'close')
  }

  #onConnection(client: Socket): void {
    const server = connect({ host: '127.0.0.1', ...this.#options.server })
    for (const socket of [client, server]) {
      this.#sockets.add(socket.setNoDelay())
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#sockets.delete(socket)
        client.destroy()
        server.destroy()
      })
    }
    client.pipe(server)
    let left = this.#isCutting ? this.#options.nextBytes() : Infinity
    let head: Buffer | undefined = Buffer.of()
    let headBytes = 0
    const total = left
    server.on('data', (chunk: Buffer) => {
      let bytes = chunk
      if (head !== undefined) {
        head = Buffer.concat([head, chunk])
        const end = head.indexOf('\r\n\r\n') + 4
        if (end < 4) return
        bytes = withRetry(head, end)
        headBytes = end
        head = undefined
      }
      if (left < 0) return
      client.write(bytes.subarray(0, left))
      left -= bytes.length
      if (left < 0) this.#cut(client, server, total > headBytes)
    })
  }

  /**
   * In turn by an end and by a reset. In the head only by a reset: a browser takes a head that ends for a
   * whole one in which fields are missing, and does not come back.
   */
  #cut(client: Socket, server: Socket, isInBody: boolean): void {
    this.cuts++
    server.destroy()
    if (isInBody && this.cuts % 2 === 0) client.end()
    else client.resetAndDestroy()
  }
}
