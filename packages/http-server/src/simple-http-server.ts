import type { TreeStore } from '@elkyn/tree'
import { HttpListener } from './http-listener.ts'
import type { ListenAddress } from './http-listener.ts'
import { resolveLimits } from './limits.ts'
import type { HttpLimits } from './limits.ts'
import { silentLog } from './log.ts'
import { ServerMetrics } from './metrics.ts'
import type { MetricsOption } from './metrics.ts'
import type { MetricsSource } from './metrics-source.ts'
import { createHandler } from './request-handler.ts'
import type { RequestHandlerOptions } from './request-handler.ts'
import { WatchedStore } from './watched-store.ts'

export interface SimpleHttpServerOptions extends RequestHandlerOptions, HttpLimits {
  /** Name or address of the network interface. Default: `127.0.0.1`, which no other machine reaches. */
  readonly host?: string
  /** 0 takes any free one; `address()` tells which. Default: 8080. */
  readonly port?: number
  /** Whether `close()` closes the store too. Default: false. */
  readonly closeStore?: boolean
  /**
   * Whether metrics are shown at `/.metrics`, beside the tree, to everybody; or where else, by a listener
   * of their own. Default: false, and nothing is counted.
   */
  readonly metrics?: MetricsOption
  /**
   * Called when the disk or the database beneath the store has failed, so that nothing that it says in
   * this process can be relied on. Default: that is answered and logged, and no more.
   */
  readonly onFatal?: (error: Error) => void
}

export interface CloseOptions {
  /** How long requests in progress may take to end before they are broken off. Default: 10000. */
  readonly timeoutMs?: number
}

/**
 * Serves a store over HTTP/1.1 from the calling thread: reads run in it, one after the other, and
 * writes that wait together share a commit.
 */
export class SimpleHttpServer implements AsyncDisposable {
  readonly #listener: HttpListener
  readonly #address: { readonly host: string; readonly port: number }
  readonly #metrics: ServerMetrics
  readonly #ownStore: TreeStore | undefined

  /** @throws {RangeError} for a limit that is not a positive integer. */
  constructor(options: SimpleHttpServerOptions) {
    const { host = '127.0.0.1', port = 8080, log = silentLog, closeStore = false } = options
    const store =
      options.onFatal === undefined
        ? options.store
        : new WatchedStore(options.store, options.onFatal)
    const listener = (): HttpListener => this.#listener
    const source: MetricsSource = {
      get isServing() {
        return listener().isListening
      },
      store: () => store.stats?.(),
    }
    this.#metrics = new ServerMetrics(options.metrics ?? false, source, log)
    const handle = createHandler({ ...options, store }, () => !this.#listener.isClosing)
    this.#listener = new HttpListener(
      this.#metrics.wrap(handle),
      resolveLimits(options),
      log,
      this.#metrics.meter,
    )
    this.#address = { host, port }
    this.#ownStore = closeStore ? options.store : undefined
  }

  /**
   * Begins to listen. May be tried again when it failed.
   * @throws {HttpServerError} `ERR_SERVER_STARTED`, `ERR_SERVER_CLOSED`
   * @throws {Error} what Node says about the address, such as `EADDRINUSE` or `EACCES`.
   */
  async start(): Promise<void> {
    this.#listener.checkNew()
    await this.#metrics.start()
    try {
      await this.#listener.start(this.#address)
    } catch (error) {
      await this.#metrics.close(0)
      throw error
    }
  }

  /**
   * Where it listens.
   * @throws {HttpServerError} `ERR_SERVER_NOT_LISTENING`
   */
  address(): ListenAddress {
    return this.#listener.address
  }

  /**
   * Where the metrics are, if they have a listener of their own.
   * @throws {HttpServerError} `ERR_SERVER_NOT_LISTENING`
   */
  metricsAddress(): ListenAddress {
    return this.#metrics.address
  }

  /**
   * Takes no more connections, answers what was asked, and then closes; what is not done in time is
   * broken off. Resolves when the last connection has gone.
   */
  async close({ timeoutMs = 10_000 }: CloseOptions = {}): Promise<void> {
    await this.#listener.close(timeoutMs)
    await this.#metrics.close(0)
    await this.#ownStore?.close()
  }

  /** Calls {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
