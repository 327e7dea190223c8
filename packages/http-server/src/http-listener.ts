import { Server as NetServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { ArrivingBodies } from './arriving-bodies.ts'
import { ClientConnections } from './client-connections.ts'
import { HttpServerError } from './errors.ts'
import type { Answerer, HttpContext } from './http-context.ts'
import { Http1Server } from './http1-server.ts'
import { maxTimerMs } from './limits.ts'
import type { HttpLimits } from './limits.ts'
import type { Log } from './log.ts'
import type { RequestMeter } from './metrics-meter.ts'
import { SecureServer } from './secure-server.ts'
import type { TlsOptions } from './tls-options.ts'

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
  /** `http://host:port`, or `https:` with TLS, without a slash at the end. */
  readonly url: string
}

export interface ListenOptions {
  readonly host: string
  readonly port: number
}

export interface HttpListenerOptions {
  readonly limits: Required<HttpLimits>
  readonly log: Log
  readonly meter?: RequestMeter | undefined
  readonly tls?: TlsOptions | undefined
}

// Connections over the limit that are being told so; more are closed without a word.
const refusedAtOnce = 64

/** Listens, with TLS or without, for a handler. Knows nothing of what is asked. */
export class HttpListener {
  readonly #connections: ClientConnections
  readonly #http1: Http1Server
  readonly #secure: SecureServer | undefined
  /** The one of the two that listens. */
  readonly #server: NetServer
  readonly #log: Log
  #state: 'new' | 'open' | 'closing' = 'new'
  /** Resolves when it listens. */
  #listening: Promise<void> | undefined
  #closed: Promise<void> | undefined

  /** @throws {TypeError} for a key or a certificate that is not one. */
  constructor(handle: Answerer, { limits, log, meter, tls }: HttpListenerOptions) {
    this.#connections = new ClientConnections(limits.maxConnections, log, meter)
    const context: HttpContext = {
      handle,
      limits,
      log,
      meter,
      connections: this.#connections,
      arriving: new ArrivingBodies(limits.maxArrivingBytes),
      isClosing: () => this.isClosing,
    }
    this.#http1 = new Http1Server(context)
    this.#secure = tls === undefined ? undefined : new SecureServer(tls, this.#http1, context)
    this.#server = this.#secure?.server ?? this.#http1.server
    this.#log = log
    this.#server.maxConnections = limits.maxConnections + refusedAtOnce
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
    const scheme = this.#secure === undefined ? 'http' : 'https'
    const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
    const url = `${scheme}://${host}:${address.port}`
    return { host: address.address, port: address.port, url }
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
    this.#listening = promise
    try {
      await promise
    } catch (error) {
      if (this.#state === 'open') this.#state = 'new'
      throw error
    } finally {
      this.#server.off('error', reject)
    }
    // The system may have no memory or no file for one: without a listener that would end the process.
    this.#server.on('error', (error) => {
      this.#log.warn({ err: error }, 'A connection could not be accepted')
    })
  }

  /** @throws {HttpServerError} `ERR_SERVER_STARTED`, `ERR_SERVER_CLOSED` unless it can be started. */
  checkNew(): void {
    if (this.#state === 'closing') {
      throw new HttpServerError('ERR_SERVER_CLOSED', 'Cannot start: The server was closed')
    }
    if (this.#state === 'open') {
      throw startedError()
    }
  }

  /**
   * Takes another key and certificate for connections from now on.
   * @throws {TypeError} when it has no TLS, and for a key or a certificate that is not one.
   */
  renewTls(tls: TlsOptions): void {
    if (this.#secure === undefined) {
      throw new TypeError(
        'Cannot renew the certificate: The server was made without the option tls',
      )
    }
    this.#secure.renew(tls)
  }

  /** Takes no more connections, lets what runs finish, and breaks off what is left at the deadline, if there ever is one. */
  close(timeoutMs: number): Promise<void> {
    return (this.#closed ??= this.#close(timeoutMs))
  }

  async #close(timeoutMs: number): Promise<void> {
    const wasOpen = this.#state === 'open'
    this.#state = 'closing'
    if (!wasOpen) return
    try {
      // Node would not end to look a name up, nor say that it has.
      await this.#listening
    } catch {
      // Whoever has called `start()` was told.
      return
    }
    await received(this.#server)
    const { promise, resolve } = Promise.withResolvers<void>()
    // Not the `close()` of the HTTP server, which destroys connections whose answer was handed over
    // and has not left, and stops looking for requests that take too long.
    NetServer.prototype.close.call(this.#server, () => resolve())
    this.#secure?.endHandshakes()
    this.#connections.closeWhenIdle()
    const deadline =
      timeoutMs > maxTimerMs ? undefined : setTimeout(() => this.#connections.destroy(), timeoutMs)
    await promise
    clearTimeout(deadline)
    // Only its timer is still there.
    this.#http1.server.close()
  }
}

export function startedError(): HttpServerError {
  return new HttpServerError('ERR_SERVER_STARTED', 'Cannot start: The server was started before')
}

// A connection that waits is accepted in one turn of the event loop, and read from in the next one. The one that
// runs may be past both.
const turnsToReceive = 3

// Connections that wait at most: as many as Node lets the system keep.
const mostWaiting = 511

/**
 * Resolves when that has been read which clients had sent by now. It lies with the system until then, and in a turn of
 * the event loop one connection is accepted. Those that come meanwhile can't be told from those that were there.
 */
async function received(server: NetServer): Promise<void> {
  let accepted = 0
  let left = turnsToReceive
  const accept = (): void => {
    if (++accepted <= mostWaiting) left = turnsToReceive
  }
  server.on('connection', accept)
  for (; left > 0; left--) await setImmediate()
  server.off('connection', accept)
}
