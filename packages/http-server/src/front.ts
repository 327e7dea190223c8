import type { Health } from './health.ts'
import type { Answerer } from './http-context.ts'
import { HttpListener, startedError } from './http-listener.ts'
import type { ListenAddress } from './http-listener.ts'
import type { HttpLimits } from './limits.ts'
import type { Log } from './log.ts'
import { ServerMetrics } from './metrics.ts'
import type { MetricsOption } from './metrics.ts'
import type { MetricsSource } from './metrics-source.ts'
import type { StreamOptions } from './streams/stream-options.ts'
import type { TlsOptions } from './tls-options.ts'

/** Where a server is found, and what its clients may take of it. */
export interface FrontOptions extends HttpLimits {
  /** Name or address of the network interface. Default: `127.0.0.1`, which no other machine reaches. */
  readonly host?: string
  /** 0 takes any free one; `address()` tells which. Default: 8080. */
  readonly port?: number
  /**
   * Key and certificate. With them it speaks TLS 1.2 or later, and on the same port HTTP/2 with clients that
   * can and HTTP/1.1 with the others. Default: HTTP/1.1 without TLS.
   */
  readonly tls?: TlsOptions
  /** What streams may take. */
  readonly streams?: StreamOptions
  /**
   * Whether metrics are shown at `/.metrics`, beside the tree, to everybody; or where else, by a listener
   * of their own. Default: false, and nothing is counted.
   */
  readonly metrics?: MetricsOption
}

/** What clients see of a server: its listener, and its metrics. */
export class Front {
  readonly #listener: HttpListener
  readonly #address: { readonly host: string; readonly port: number }
  readonly #metrics: ServerMetrics
  #isStarting = false
  #hasFailed = false

  /** @throws {TypeError} for a key or a certificate that is not one. */
  constructor(
    options: Omit<FrontOptions, keyof HttpLimits>,
    limits: Required<HttpLimits>,
    answer: Answerer,
    source: Omit<MetricsSource, 'health'>,
    log: Log,
  ) {
    const { host = '127.0.0.1', port = 8080, metrics = false, tls } = options
    const front = (): Front => this
    const ownSource: MetricsSource = {
      ...source,
      get health() {
        return front().health
      },
    }
    this.#metrics = new ServerMetrics(metrics, ownSource, log)
    this.#address = { host, port }
    this.#listener = new HttpListener(this.#metrics.wrap(answer), {
      limits,
      log,
      meter: this.#metrics.meter,
      tls,
    })
  }

  /** What load balancers are told. */
  get health(): Health {
    if (this.#hasFailed) return 'failed'
    if (this.#listener.isListening) return 'ok'
    return this.#listener.isClosing ? 'stopping' : 'starting'
  }

  /** Lets load balancers know that this process is of no use any more. */
  fail(): void {
    this.#hasFailed = true
  }

  /** @throws {HttpServerError} `ERR_SERVER_NOT_LISTENING` */
  get address(): ListenAddress {
    return this.#listener.address
  }

  /** @throws {HttpServerError} `ERR_SERVER_NOT_LISTENING` */
  get metricsAddress(): ListenAddress {
    return this.#metrics.address
  }

  /** @throws {HttpServerError} `ERR_SERVER_STARTED`, `ERR_SERVER_CLOSED` */
  checkNew(): void {
    if (this.#isStarting) throw startedError()
    this.#listener.checkNew()
  }

  /** @throws {TypeError} */
  renewTls(tls: TlsOptions): void {
    this.#listener.renewTls(tls)
  }

  /** May be tried again when it failed. */
  async start(): Promise<void> {
    this.checkNew()
    this.#isStarting = true
    try {
      await this.#metrics.start()
      await this.#listener.start(this.#address)
    } catch (error) {
      await this.#metrics.close(0)
      throw error
    } finally {
      this.#isStarting = false
    }
  }

  /** Resolves when the last connection has gone. */
  async close(timeoutMs: number): Promise<void> {
    await this.#listener.close(timeoutMs)
    await this.#metrics.close(0)
  }
}
