import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import process from 'node:process'
import { ThreadPoolError } from '@elkyn/thread-pool'
import type { StoreDescriptor } from '@elkyn/tree'
import { asError } from '../as-error.ts'
import { checkDescriptor } from '../check-store.ts'
import { closeTimeout } from '../close-options.ts'
import type { CloseOptions } from '../close-options.ts'
import { Front } from '../front.ts'
import type { FrontOptions } from '../front.ts'
import type { ListenAddress } from '../http-listener.ts'
import { resolveLimits } from '../limits.ts'
import { silentLog } from '../log.ts'
import type { Log } from '../log.ts'
import type { Answer, HttpRequest } from '../message.ts'
import { planSettings } from '../plan-settings.ts'
import type { SettingOptions } from '../plan-settings.ts'
import { PieceMemory } from '../streams/piece-memory.ts'
import { resolveStreamOptions } from '../streams/stream-options.ts'
import { StreamService } from '../streams/stream-service.ts'
import type { TlsOptions } from '../tls-options.ts'
import { LargeAnswers } from './large-answers.ts'
import { checkLargeAnswers, resolvePoolOptions } from './pool-options.ts'
import { PoolSource } from './pool-source.ts'
import type { PoolOptions } from './pool-options.ts'
import { ReaderPool } from './reader-pool.ts'
import { SpoolRoom } from './spool-room.ts'
import { createRouter } from './router.ts'
import { createPermits } from './scan-permits.ts'
import { ServerChannel } from './thread-channel.ts'
import type { ThreadData } from './thread-data.ts'
import { keepCompiled } from './worker-module.ts'
import { WriterPool } from './writer-pool.ts'
import { giveUpOpening, progressBytes, setServing } from './writer-progress.ts'

export interface ThreadPoolHttpServerOptions extends FrontOptions, PoolOptions, SettingOptions {
  /** How each thread opens the store. A store of storage-lmdb is described by `lmdbStorage()`. */
  readonly store: StoreDescriptor
  /** Receives the faults of the server. Default: nothing is logged. */
  readonly log?: Log
  /**
   * Called when the database can't be used any more in this process: its disk has failed, or the
   * writer has died inside a transaction, which keeps every other thread from writing. Requests in hand
   * were answered then. What helps is another process. Default: `process.abort()`.
   */
  readonly onFatal?: (error: Error) => void
}

/** The threads, and the words by which they know of each other. */
interface Pools {
  readonly readers: ReaderPool
  readonly writer: WriterPool
  readonly progress: SharedArrayBuffer
}

// How long answers about a database that is gone may take to leave.
const lastWordsMs = 250

/**
 * Serves a store over HTTP from several threads: the calling one parses and sends, readers answer
 * reads each from a snapshot of its own, and a writer commits the writes that wait together. Answers are
 * those of `SimpleHttpServer`.
 */
export class ThreadPoolHttpServer implements AsyncDisposable {
  readonly #front: Front
  readonly #streams: StreamService
  readonly #channel: ServerChannel
  readonly #makePools: () => Pools
  readonly #log: Log
  readonly #onFatal: (error: Error) => void
  #pools: Pools | undefined
  #handle: ReturnType<typeof createRouter> | undefined
  #opening: Promise<void> | undefined
  #closed: Promise<void> | undefined
  #hasFailed = false

  /**
   * @throws {RangeError} for a limit that is not a positive integer.
   * @throws {TypeError} for a descriptor, a key or a certificate that is not one.
   */
  constructor(options: ThreadPoolHttpServerOptions) {
    const { log = silentLog, store } = options
    checkDescriptor(store)
    const limits = resolveLimits(options)
    const plan = planSettings(options, limits)
    const pool = resolvePoolOptions(options)
    checkLargeAnswers(limits.maxStreamedAnswers, pool)
    const channel = `elkyn-http-server-${randomUUID()}`
    const pieces = new PieceMemory()
    const spool = SpoolRoom.create(pool.maxSpoolBytes, pool.spoolFolder ?? tmpdir())
    const shared: Omit<ThreadData, 'progress' | 'permits'> = {
      store,
      channel,
      maxBodyBytes: limits.maxBodyBytes,
      maxStreamedAnswers: limits.maxStreamedAnswers,
      plan,
      patienceMs: pool.answerPatienceMs,
      spool: spool.shared,
      pieces: pieces.buffer,
    }
    this.#log = log
    this.#onFatal = options.onFatal ?? (() => process.abort())
    this.#channel = new ServerChannel(channel, log, (error) => this.#fail(asError(error)))
    const answer = (request: HttpRequest): Answer | Promise<Answer> => {
      this.#handle ??= createRouter(
        { plan, health: () => this.#front.health, log },
        this.#running.readers,
        this.#running.writer,
      )
      return this.#handle(request)
    }
    const planOptions = { ...plan, health: () => this.#front.health }
    const source = (): PoolSource =>
      new PoolSource(this.#running.readers, this.#running.writer, pieces)
    const streams = resolveStreamOptions(options.streams ?? {}, limits)
    this.#streams = new StreamService(streams, planOptions, source, log)
    this.#front = new Front(
      options,
      limits,
      this.#streams.wrap(answer),
      {
        streams: () => this.#streams.meter,
        store: async () => this.#pools?.writer.storeStats(),
        pools: () =>
          this.#pools === undefined
            ? []
            : [this.#pools.readers.stats(), this.#pools.writer.stats()],
      },
      log,
    )
    this.#makePools = () => {
      const large = new LargeAnswers(limits.maxStreamedAnswers, spool)
      const poolLimits = { ...limits, ...pool }
      const progress = new SharedArrayBuffer(progressBytes)
      const data = { ...shared, progress, permits: createPermits(pool.maxThreads) }
      const writer = new WriterPool(poolLimits, data, large, log, (error) => this.#fail(error))
      return { readers: new ReaderPool(poolLimits, data, large, log), writer, progress }
    }
  }

  /**
   * Starts the threads and opens the store in each. {@link start} does it too; alone, it tells what is
   * wrong with the store from what is wrong with the address. May be tried again when it failed.
   * @throws {HttpServerError} `ERR_SERVER_STARTED`, `ERR_SERVER_CLOSED`
   * @throws {Error} what the store gives when it cannot be opened.
   */
  async open(): Promise<void> {
    this.#front.checkNew()
    await (this.#opening ??= this.#openPools())
  }

  /**
   * Opens the store where that was not done before, and begins to listen. May be tried again when it failed.
   * @throws {HttpServerError} `ERR_SERVER_STARTED`, `ERR_SERVER_CLOSED`
   * @throws {Error} what the store gives when it cannot be opened, and what Node says about the
   * address, such as `EADDRINUSE` or `EACCES`.
   */
  async start(): Promise<void> {
    await this.open()
    await this.#front.start()
    setServing(this.#running.progress)
    keepCompiled()
    this.#running.readers.fill()
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
   * Takes no more connections, answers what was asked, ends the threads and closes the store; what is not
   * done in time is broken off. Resolves when all of that is done.
   * @throws {RangeError} for a time that is none; nothing is closed then.
   */
  async close(options?: CloseOptions): Promise<void> {
    const timeoutMs = closeTimeout(options)
    await (this.#closed ??= this.#close(timeoutMs))
  }

  /** Calls {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #running(): Pools {
    if (this.#pools === undefined) throw new Error('The threads have not been started')
    return this.#pools
  }

  async #openPools(): Promise<void> {
    const pools = this.#makePools()
    try {
      await pools.writer.start()
      await pools.readers.start()
      this.#pools = pools
    } catch (error) {
      this.#opening = undefined
      giveUpOpening(pools.progress)
      await Promise.all([pools.readers.destroy(), pools.writer.close(0)])
      throw startError(error)
    }
  }

  async #close(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs
    const leftMs = (): number => Math.max(0, deadline - performance.now())
    this.#streams.close()
    await this.#front.close(timeoutMs)
    try {
      await this.#opening
    } catch {
      // Whoever has called `start()` was told.
    }
    if (this.#pools !== undefined) setServing(this.#pools.progress)
    await this.#pools?.readers.close(leftMs())
    await this.#pools?.writer.close(leftMs())
    this.#channel.close()
  }

  #fail(error: Error): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    this.#front.fail()
    this.#log.error({ err: error }, 'The database cannot be used any more in this process')
    this.#pools?.writer.fail(error)
    setTimeout(() => this.#onFatal(error), lastWordsMs)
  }
}

// What is wrong lies beneath the pool: the store says it better.
function startError(error: unknown): unknown {
  return error instanceof ThreadPoolError && error.code === 'ERR_WORKER_START'
    ? (error.cause ?? error)
    : error
}
