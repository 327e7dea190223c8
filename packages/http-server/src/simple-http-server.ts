import type { TreeStore } from '@elkyn/tree'
import { checkStore } from './check-store.ts'
import { closeTimeout } from './close-options.ts'
import type { CloseOptions } from './close-options.ts'
import { Front } from './front.ts'
import type { FrontOptions } from './front.ts'
import type { Health } from './health.ts'
import type { ListenAddress } from './http-listener.ts'
import { resolveLimits } from './limits.ts'
import { silentLog } from './log.ts'
import { planSettings } from './plan-settings.ts'
import { handlerOf } from './request-handler.ts'
import type { RequestHandlerOptions } from './request-handler.ts'
import { StreamedAnswers } from './streamed-answers.ts'
import { StoreSource } from './streams/store-source.ts'
import { resolveStreamOptions } from './streams/stream-options.ts'
import { StreamService } from './streams/stream-service.ts'
import type { TlsOptions } from './tls-options.ts'
import { WatchedStore } from './watched-store.ts'

export interface SimpleHttpServerOptions
  extends Omit<RequestHandlerOptions, 'allDatabases'>, FrontOptions {
  /** Whether `close()` closes the store too. Default: false. */
  readonly closeStore?: boolean
  /**
   * Called when the disk or the database beneath the store has failed, so that nothing that it says in
   * this process can be relied on. Default: that is answered and logged, and said by `/.health`.
   */
  readonly onFatal?: (error: Error) => void
}

/**
 * Serves a store over HTTP from the calling thread: reads run in it, one after the other, and
 * writes that wait together share a commit.
 */
export class SimpleHttpServer implements AsyncDisposable {
  readonly #front: Front
  readonly #streams: StreamService
  readonly #ownStore: TreeStore | undefined

  /**
   * @throws {RangeError} for a limit that is not a positive integer.
   * @throws {TypeError} for a store, a key or a certificate that is not one.
   */
  constructor(options: SimpleHttpServerOptions) {
    const { log = silentLog, closeStore = false, onFatal } = options
    checkStore(options.store)
    const store = new WatchedStore(options.store, (error) => {
      this.#front.fail()
      onFatal?.(error)
    })
    const health = (): Health => this.#front.health
    const limits = resolveLimits(options)
    const { maxBodyBytes } = limits
    const streamedAnswers = new StreamedAnswers(limits.maxStreamedAnswers)
    const settings = planSettings(options, limits)
    const parts = { store, maxBodyBytes, streamedAnswers, plan: settings, log }
    const handle = handlerOf(parts, health)
    const plan = { ...settings, health }
    const source = (): StoreSource => new StoreSource(store, streamedAnswers)
    const streams = resolveStreamOptions(options.streams ?? {}, limits)
    this.#streams = new StreamService(streams, plan, source, log)
    this.#front = new Front(
      options,
      limits,
      this.#streams.wrap(handle),
      { store: () => store.stats(), streams: () => this.#streams.meter },
      log,
    )
    this.#ownStore = closeStore ? options.store : undefined
  }

  /**
   * Begins to listen. May be tried again when it failed.
   * @throws {HttpServerError} `ERR_SERVER_STARTED`, `ERR_SERVER_CLOSED`
   * @throws {Error} what Node says about the address, such as `EADDRINUSE` or `EACCES`.
   */
  start(): Promise<void> {
    return this.#front.start()
  }

  /**
   * Where it listens.
   * @throws {HttpServerError} `ERR_SERVER_NOT_LISTENING`
   */
  address(): ListenAddress {
    return this.#front.address
  }

  /**
   * Where the metrics are, if they have a listener of their own.
   * @throws {HttpServerError} `ERR_SERVER_NOT_LISTENING`
   */
  metricsAddress(): ListenAddress {
    return this.#front.metricsAddress
  }

  /**
   * Takes another key and certificate for connections from now on; those that are open keep theirs.
   * @throws {TypeError} when the server was made without `tls`, and for a key or a certificate that is not one.
   */
  renewTls(tls: TlsOptions): void {
    this.#front.renewTls(tls)
  }

  /**
   * Takes no more connections, answers what was asked, and then closes; what is not done in time is
   * broken off. Resolves when the last connection has gone.
   * @throws {RangeError} for a time that is none; nothing is closed then.
   */
  async close(options?: CloseOptions): Promise<void> {
    const timeoutMs = closeTimeout(options)
    this.#streams.close()
    await this.#front.close(timeoutMs)
    await this.#ownStore?.close()
  }

  /** Calls {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
