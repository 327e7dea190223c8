import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { ELDHistogram } from 'node:perf_hooks'
import { preflightResponse } from './cors.ts'
import { HttpServerError } from './errors.ts'
import { healthResponse } from './health.ts'
import { HttpListener } from './http-listener.ts'
import type { ListenAddress } from './http-listener.ts'
import { resolveLimits } from './limits.ts'
import type { Log } from './log.ts'
import type { HttpRequest, HttpResponse } from './message.ts'
import { isSafe, methodNotAllowedResponse, safeMethods } from './method.ts'
import { RequestMeter } from './metrics-meter.ts'
import type { MetricsPage } from './metrics-page.ts'
import type { MetricsSource } from './metrics-source.ts'
import { errorResponse, bareHeaders } from './response.ts'
import { StreamMeter } from './streams/stream-meter.ts'
import { parseTarget } from './target.ts'

/** Where a server shows its metrics. */
export type MetricsOption = boolean | MetricsAddress

/** A listener of their own. */
export interface MetricsAddress {
  /** Name or address of the network interface. Default: `127.0.0.1`. */
  readonly host?: string
  /** 0 takes any free one; `metricsAddress()` tells which. */
  readonly port: number
}

/**
 * The metrics of one server: counts what its listener does, and shows that with what its store and
 * its threads say, as text that Prometheus reads.
 */
export class ServerMetrics {
  /** For the listener; `undefined` where nothing is to be counted. */
  readonly meter: RequestMeter | undefined
  readonly #option: MetricsOption
  readonly #source: MetricsSource
  readonly #log: Log
  #eventLoopDelay: ELDHistogram | undefined
  #page: Promise<MetricsPage> | undefined
  #listener: HttpListener | undefined

  /** @throws {TypeError} for an option that JavaScript may give, such as a port alone. */
  constructor(option: MetricsOption, source: MetricsSource, log: Log) {
    if (typeof option !== 'boolean' && (typeof option !== 'object' || option === null)) {
      throw new TypeError(
        'Cannot show metrics: the option metrics is true, false or { host, port }',
      )
    }
    this.#option = option
    this.#source = source
    this.#log = log
    if (option !== false) this.meter = new RequestMeter()
  }

  /** @throws what Node says about the address of a listener of its own. */
  async start(): Promise<void> {
    if (this.#option === false) return
    if (this.#option !== true) await this.#listen(this.#option)
    this.#eventLoopDelay = monitorEventLoopDelay({ resolution: 10 })
    this.#eventLoopDelay.enable()
  }

  async #listen({ host = '127.0.0.1', port }: MetricsAddress): Promise<void> {
    const answer = async (request: HttpRequest): Promise<HttpResponse> => this.#answer(request)
    const limits = resolveLimits({ maxConnections: 100 })
    const listener = new HttpListener(answer, { limits, log: this.#log })
    await listener.start({ host, port })
    this.#listener = listener
  }

  /** @throws {HttpServerError} `ERR_SERVER_NOT_LISTENING` where there is no listener of its own. */
  get address(): ListenAddress {
    if (this.#listener !== undefined) return this.#listener.address
    throw new HttpServerError(
      'ERR_SERVER_NOT_LISTENING',
      'Cannot tell the address of the metrics: They have no listener of their own',
    )
  }

  /** May be started again. */
  async close(timeoutMs: number): Promise<void> {
    this.#eventLoopDelay?.disable()
    const listener = this.#listener
    this.#listener = undefined
    await listener?.close(timeoutMs)
  }

  /** What `handle` answers, and `/.metrics` where that is to be found beside the tree. */
  wrap<Answer>(
    handle: (request: HttpRequest) => Answer,
  ): (request: HttpRequest) => Answer | Promise<HttpResponse> {
    if (this.#option !== true) return handle
    return (request) =>
      ownPathOf(request.url) === metricsPath ? this.#answer(request) : handle(request)
  }

  /** On its own listener, and beside the tree. */
  async #answer(request: HttpRequest): Promise<HttpResponse> {
    const path = ownPathOf(request.url)
    if (path !== metricsPath && path !== '/.health') {
      return errorResponse(404, 'Nothing but /.metrics and /.health is here')
    }
    if (request.method === 'OPTIONS') return preflightResponse(request)
    if (!isSafe(request.method)) return methodNotAllowedResponse(safeMethods)
    return path === metricsPath ? await this.#metrics() : healthResponse(this.#source.health)
  }

  async #metrics(): Promise<HttpResponse> {
    try {
      const page = await (this.#page ??= loadPage())
      const text = await page.text({
        meter: this.meter!,
        store: (await this.#source.store?.()) ?? {},
        pools: this.#source.pools?.() ?? [],
        streams: this.#source.streams?.() ?? new StreamMeter(),
        eventLoopDelay: this.#eventLoopDelay!,
      })
      this.#eventLoopDelay?.reset()
      const headers = ['Content-Type', page.contentType, ...bareHeaders]
      return { status: 200, headers, body: Buffer.from(text) }
    } catch (error) {
      this.#log.error({ err: error }, 'The metrics could not be read')
      return errorResponse(500, 'The metrics could not be read')
    }
  }
}

/** The library is loaded for the first reader: it would only delay the start. */
async function loadPage(): Promise<MetricsPage> {
  const { MetricsPage } = await import('./metrics-page.ts')
  return new MetricsPage()
}

const metricsPath = '/.metrics'

/** The path of a URL that may be one of the server itself, which begin with a dot as no key does. */
function ownPathOf(url: string): string | undefined {
  if (url.startsWith('/') && !url.startsWith('/.')) return undefined
  try {
    return parseTarget(url).pathname
  } catch {
    // What is wrong with it is said where the tree is.
    return undefined
  }
}
