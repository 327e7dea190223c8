import { ThreadPool } from '@elkyn/thread-pool'
import { failureResponse } from '../failure.ts'
import { tooMuchData } from '../read.ts'
import { Refusal } from '../refusal.ts'
import { errorResponse } from '../response.ts'
import type { Log } from '../log.ts'
import type { Answer, HttpRequest, HttpResponse } from '../message.ts'
import type { PoolStats } from '../metrics-source.ts'
import { maxReadings } from '../streams/reading-queue.ts'
import type { StreamResult } from '../streams/stream-job.ts'
import type { StreamTarget } from '../streams/stream-target.ts'
import { AnswerKind, parseAnswerBytes } from './answer-bytes.ts'
import type { LargeAnswers } from './large-answers.ts'
import { busyRefusal } from './pool-answers.ts'
import type { worker } from './reader-worker.ts'
import type { ReaderJob, StreamRefusal } from './reader.ts'
import { PermitOffice } from './scan-permits.ts'
import { forwardedHeaders, requestText } from './request-text.ts'
import type { ForwardedHeaders } from './request-text.ts'
import { Turn } from './turn.ts'
import { threadEnvironment, threadLimits, workerModule } from './worker-module.ts'
import type { ThreadData } from './thread-data.ts'

export interface ReaderPoolOptions {
  readonly minThreads: number
  readonly maxThreads: number
  readonly maxQueuedRequests: number
  readonly maxStreamedAnswers: number
}

/** Bands of priority: small reads by what the client says of itself, and large ones behind them. */
const bands = 4
const largeBand = bands - 1

/** The threads that answer reads. */
export class ReaderPool {
  readonly #pool: ThreadPool<typeof worker>
  readonly #large: LargeAnswers
  readonly #log: Log
  readonly #turn: Turn
  readonly #headers: ForwardedHeaders
  readonly #minThreads: number
  readonly #permits: PermitOffice

  constructor(options: ReaderPoolOptions, data: ThreadData, large: LargeAnswers, log: Log) {
    this.#large = large
    this.#headers = forwardedHeaders(data.plan)
    this.#log = log
    this.#minThreads = options.minThreads
    this.#pool = new ThreadPool<typeof worker>({
      worker: workerModule('reader-worker'),
      name: 'elkyn-reader',
      // One is enough to begin: all at once, they keep each other and the first request waiting.
      minThreads: 1,
      maxThreads: options.maxThreads,
      maxQueue: options.maxQueuedRequests,
      priorities: bands,
      // Whatever one thread has of large answers and of streams in hand, it has a hand free for small answers.
      concurrentTasksPerWorker: options.maxStreamedAnswers + maxReadings + 1,
      // Ended while it closes the store, a thread takes the process with it.
      terminable: false,
      slotBytes: 496,
      completionBytes: 1024 * 1024,
      startTimeoutMs: Infinity,
      env: threadEnvironment(),
      resourceLimits: threadLimits,
      workerData: data,
    })
    this.#turn = new Turn(this.#pool)
    this.#permits = new PermitOffice(data.permits)
    this.#pool.on('workerReady', ({ thread }) => this.#permits.add(thread))
    this.#pool.on('workerDestroy', ({ thread }) => this.#permits.remove(thread))
  }

  /** @throws what kept the first thread from opening the store. */
  async start(): Promise<void> {
    await this.#pool.run(undefined, { name: 'ready' })
    // Before that it is said by what this throws.
    this.#pool.on('workerDestroy', ({ expected, error }) => {
      if (!expected) this.#log.error({ err: error }, 'A thread that reads has died')
    })
  }

  /** Starts the other threads that are always there, one after the other. */
  fill(): void {
    const pool = this.#pool
    for (const threads = pool.threads; pool.threads === threads;) {
      if (pool.minThreads === this.#minThreads) return
      pool.minThreads++
    }
    pool.once('workerReady', () => this.fill())
  }

  /** @param timeoutMs How long it may take: the answer is a refusal then, or has a deadline. Default: for ever. */
  read(request: HttpRequest, timeoutMs?: number): Promise<Answer> {
    return timeoutMs === undefined
      ? this.#read(request, undefined)
      : this.#readWithin(request, timeoutMs)
  }

  async #readWithin(request: HttpRequest, timeoutMs: number): Promise<Answer> {
    const now = performance.now()
    const deadline = (request.cameAt ?? now) + timeoutMs
    const timeLimit = new AbortController()
    const timer = setTimeout(() => timeLimit.abort(tooMuchData()), Math.max(deadline - now, 0))
    const answer = await this.#read(request, AbortSignal.any([request.signal, timeLimit.signal]))
    clearTimeout(timer)
    return { ...answer, deadline }
  }

  async #read(request: HttpRequest, signal: AbortSignal | undefined): Promise<Answer> {
    const head = requestText(request, this.#headers)
    try {
      const isBusy = this.#pool.pending >= this.#pool.threads
      if (isBusy) this.#turn.begin()
      const options = smallOptions[bandOf(request)]
      // One that begins at once can't be called back any more.
      const given = signal ?? (isBusy ? request.signal : undefined)
      const answer = await this.#pool.run(
        head,
        given === undefined ? options : { ...options, signal: given },
      )
      const { kind, status, headers, body } = parseAnswerBytes(answer)
      if (kind === AnswerKind.Large) return await this.#readLarge(request, signal, head)
      this.#permits.noteSmall()
      this.#large.noteSmall()
      if (kind === AnswerKind.Bare) return { status, headers }
      return { status, headers, body: kind === AnswerKind.Whole ? body : [] }
    } catch (error) {
      return this.#failure(error, request)
    }
  }

  #readLarge(
    { method, signal: gone }: HttpRequest,
    signal: AbortSignal | undefined,
    head: string,
  ): Promise<Answer> {
    return this.#large.receive({ method, signal: signal ?? gone }, (window) =>
      this.#pool.run({ head, window }, largeOptions),
    )
  }

  #failure(error: unknown, request: HttpRequest): HttpResponse {
    const refusal = error instanceof Refusal ? error : busyRefusal(error)
    if (refusal !== undefined) return failureResponse(refusal, this.#log)
    // Nobody will see what is answered then.
    if (!request.signal.aborted) {
      this.#log.error({ err: error, url: request.url }, 'A read could not be answered')
    }
    return errorResponse(500, 'An internal error occurred')
  }

  /** What a stream has to be told; as bytes where that is not much. @throws {Refusal} 503 where too much waits. */
  runStreamJob(job: ReaderJob): Promise<Uint8Array | StreamResult | StreamRefusal> {
    return orBusy(this.#pool.run(job, { name: 'stream', priority: 0, retry: 1 }))
  }

  /** Why a target cannot be shown, if so. @throws {Refusal} likewise. */
  checkStream(target: StreamTarget): Promise<StreamRefusal | undefined> {
    return orBusy(this.#pool.run(target, { name: 'checkStream', priority: 0, retry: 1 }))
  }

  /** The whole of what a stream shows, in blocks. @throws {Refusal} likewise. */
  readLargeStream(target: StreamTarget, signal: AbortSignal): Promise<Answer> {
    return orBusy(
      this.#large.receive({ method: 'GET', signal }, (window) =>
        this.#pool.run({ target, window }, { name: 'streamLarge', priority: largeBand }),
      ),
    )
  }

  stats(): PoolStats {
    return this.#pool.metrics()
  }

  close(timeoutMs: number): Promise<unknown> {
    return this.#pool.close({ timeoutMs })
  }

  destroy(): Promise<void> {
    return this.#pool.destroy()
  }
}

async function orBusy<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw busyRefusal(error) ?? error
  }
}

// Tried again once when the thread has died that had it in hand.
const smallOptions = [
  { name: 'read', priority: 0, retry: 1 },
  { name: 'read', priority: 1, retry: 1 },
  { name: 'read', priority: 2, retry: 1 },
] as const

const largeOptions = { name: 'readLarge' as const, priority: largeBand }

/**
 * Where a small read waits. A client may say with `Priority` that it is less urgent than usual; that
 * it is more urgent, everybody could say: https://www.rfc-editor.org/rfc/rfc9218#section-4.1
 */
function bandOf({ headers }: HttpRequest): 0 | 1 | 2 {
  const { priority } = headers
  if (priority === undefined) return 0
  const [, urgency] = /(?:^|[\s,])u\s*=\s*([0-7])/.exec(String(priority)) ?? []
  if (urgency === undefined || urgency < '4') return 0
  return urgency < '6' ? 1 : 2
}
