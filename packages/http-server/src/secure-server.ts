import type { Socket } from 'node:net'
import type { Server, TLSSocket } from 'node:tls'
import type { HttpContext } from './http-context.ts'
import type { Http1Server } from './http1-server.ts'
import { takeHttp2 } from './http2-connection.ts'
import { tls as nodeTls } from './node-modules.ts'
import { checkTls } from './tls-options.ts'
import type { TlsOptions } from './tls-options.ts'

/** Speaks TLS, and gives each connection to the version of HTTP on which both sides agree. */
export class SecureServer {
  readonly server: Server
  /** Connections that have not said yet which version they speak, by their two ends. */
  readonly #handshakes = new Map<string, Socket>()

  /** @throws {TypeError} for a key or a certificate that is not one. */
  constructor(tls: TlsOptions, http1: Http1Server, context: HttpContext) {
    this.server = nodeTls().createServer({
      ...checkTls(tls),
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: context.limits.headersTimeoutMs,
      // As the HTTP server has them that listens without TLS.
      allowHalfOpen: true,
      noDelay: true,
    })
    this.server.on('connection', (socket: Socket) => {
      const ends = endsOf(socket)
      this.#handshakes.set(ends, socket)
      socket.once('close', () => {
        if (this.#handshakes.get(ends) === socket) this.#handshakes.delete(ends)
      })
    })
    this.server.on('secureConnection', (socket: TLSSocket) => {
      this.#handshakes.delete(endsOf(socket))
      if (socket.alpnProtocol === 'h2') takeHttp2(socket, context)
      else takeHttp1(socket, http1)
    })
    // Node leaves one open whose handshake took too long.
    this.server.on('tlsClientError', (_error, socket) => socket.destroy())
    // Begins to look for requests that take too long.
    this.server.on('listening', () => http1.server.emit('listening'))
  }

  /** Takes another key and certificate for connections from now on. @throws {TypeError} */
  renew(tls: TlsOptions): void {
    this.server.setSecureContext(checkTls(tls))
  }

  /** Closes the connections that have not got as far as a request. */
  endHandshakes(): void {
    for (const socket of this.#handshakes.values()) socket.destroy()
  }
}

function takeHttp1(socket: TLSSocket, http1: Http1Server): void {
  http1.server.emit('connection', socket)
  // Node's parser takes the bytes beneath the socket, where TLS goes on to deliver when the parser has paused,
  // and a client with many requests on their way is cut off. A listener makes it take them from the socket.
  socket.on('data', () => {})
}

function endsOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`
}
