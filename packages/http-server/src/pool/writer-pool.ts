import type { MessagePort } from 'node:worker_threads'
import { ThreadPool, ThreadPoolError } from '@elkyn/thread-pool'
import type { ThreadPoolErrorCode } from '@elkyn/thread-pool'
import type { TreeStoreStats } from '@elkyn/tree'
import { checkBodyHead } from '../body-sink.ts'
import { requestAborted } from '../errors.ts'
import { failureResponse, unshownResponse, writeFailureResponse } from '../failure.ts'
import { GatheredBytes } from '../gathered-bytes.ts'
import type { Log } from '../log.ts'
import type { Answer, HttpRequest, HttpResponse } from '../message.ts'
import type { PoolStats } from '../metrics-source.ts'
import { maxParsedBytes } from '../plan.ts'
import { Places } from '../places.ts'
import { Race } from '../race.ts'
import { RequestBody } from '../request-body.ts'
import { maxSlowWrites } from '../request-handler.ts'
import { UploadPlaces, maxUploads } from '../upload-places.ts'
import type { UploadPlace } from '../upload-places.ts'
import { AnswerKind, parseAnswerBytes } from './answer-bytes.ts'
import type { Received } from './answer-bytes.ts'
import type { LargeAnswers } from './large-answers.ts'
import { busyResponse, unknownOutcomeResponse } from './pool-answers.ts'
import { forwardedHeaders, pieceBytes, requestBytes, requestText } from './request-text.ts'
import type { ForwardedHeaders } from './request-text.ts'
import type { ThreadData } from './thread-data.ts'
import { Turn } from './turn.ts'
import { threadEnvironment, threadLimits, workerModule } from './worker-module.ts'
import { nextTicket, StallWatch } from './writer-progress.ts'
import type { worker } from './writer-worker.ts'

export interface WriterPoolOptions {
  readonly maxQueuedRequests: number
  readonly maxQueuedBytes: number
  readonly maxBodyBytes: number
  readonly stallLimitMs: number
}

/** How long who asks for metrics waits for a busy writer, in milliseconds. */
const statsPatienceMs = 250

/** When a full queue is asked again to let go of an answer, in milliseconds. */
const dropAgainMs = 1000

/** Somewhat more than Node reads from a socket at once. */
const usualPieceBytes = 72 * 1024

/**
 * Writes that share a commit at most: the writer takes so many before it waits for their commit. A body that arrives in
 * pieces keeps a hand of the writer until it has ended or given way, however slow its client is. A piece of it, or its end,
 * takes another one: with half of the hands there is always one for those, and a piece leaves its hand again without
 * anything else.
 */
const writesInHand = 2 * maxUploads

/** The thread that writes. There is one, because the store beneath has one writer. */
export class WriterPool {
  readonly #pool: ThreadPool<typeof worker>
  readonly #options: WriterPoolOptions
  readonly #large: LargeAnswers
  readonly #log: Log
  readonly #turn: Turn
  readonly #headers: ForwardedHeaders
  readonly #watch: StallWatch
  /** What is to be done with requests in hand when the writer has died without a word. */
  readonly #inHand = new Set<(error: Error) => void>()
  readonly #wholeBytes: number
  /** For pieces of bodies, one after the other. */
  readonly #pieceMemory = Buffer.allocUnsafeSlow(usualPieceBytes)
  readonly #progress: Int32Array
  readonly #uploads = new UploadPlaces(maxUploads)
  /** For writes that the writer has put off. Those that wait for one have no hand of it. */
  readonly #slowWrites = new Places(maxSlowWrites)
  #queuedBytes = 0
  #storeStats: TreeStoreStats | undefined
  #failure: Error | undefined

  constructor(
    options: WriterPoolOptions,
    data: ThreadData,
    large: LargeAnswers,
    log: Log,
    onStall: (error: Error) => void,
  ) {
    this.#options = options
    this.#wholeBytes = Math.min(maxParsedBytes, options.maxBodyBytes)
    this.#large = large
    this.#headers = forwardedHeaders(data.plan)
    this.#progress = new Int32Array(data.progress)
    this.#log = log
    this.#pool = new ThreadPool<typeof worker>({
      worker: workerModule('writer-worker'),
      name: 'elkyn-writer',
      threads: 1,
      maxQueue: options.maxQueuedRequests,
      priorities: 2,
      concurrentTasksPerWorker: writesInHand,
      slotBytes: 1008,
      completionBytes: 1024 * 1024,
      // A thread that is ended while it writes never gives the lock of the database back.
      terminable: false,
      startTimeoutMs: Infinity,
      env: threadEnvironment(),
      resourceLimits: threadLimits,
      workerData: data,
    })
    this.#turn = new Turn(this.#pool)
    this.#watch = new StallWatch(
      data.progress,
      options.stallLimitMs,
      () => this.#inHand.size > 0,
      () => onStall(new Error(`The writer made no progress for ${options.stallLimitMs} ms`)),
    )
  }

  /** @throws what kept it from opening the store. */
  async start(): Promise<void> {
    await this.#pool.run(undefined, { name: 'ready' })
    // Before that it is said by what this throws.
    this.#pool.on('workerDestroy', ({ expected, error }) => {
      if (!expected) this.#log.error({ err: error }, 'The thread that writes has died')
    })
  }

  /**
   * Whether a request that writes has so small a body that it is as soon read as refused: then it is
   * enough that the writer looks at it. A `POST` may say that it is something else.
   */
  takesWhole({ method, headers }: HttpRequest): boolean {
    const length = Number(headers['content-length'] ?? (method === 'DELETE' ? 0 : Number.NaN))
    return (
      length <= this.#wholeBytes &&
      headers['transfer-encoding'] === undefined &&
      headers['expect'] === undefined &&
      headers['x-http-method-override'] === undefined
    )
  }

  /** Answers a request that writes, and takes its body as fast as the writer does. */
  async write(request: HttpRequest): Promise<Answer> {
    // It was never begun, so that its outcome is known.
    if (this.#failure !== undefined) return busyResponse()
    try {
      return await this.#write(request)
    } catch (error) {
      return this.#failureAnswer(error, request)
    }
  }

  /** Sends the changes of each commit to a port, from when it resolves on, until either end is closed. */
  async listen(port: MessagePort): Promise<void> {
    await this.#ask(() =>
      this.#pool.run({ port }, { name: 'listen', priority: 0, transferList: [port] }),
    )
  }

  /** How the store is, as the thread that writes says; what it said last where it takes too long. */
  async storeStats(): Promise<TreeStoreStats | undefined> {
    try {
      const signal = AbortSignal.timeout(statsPatienceMs)
      this.#storeStats = await this.#pool.run(undefined, { name: 'stats', priority: 0, signal })
    } catch {
      // It has other things to do, or has died: somebody wants the rest of the metrics then most of all.
    }
    return this.#storeStats
  }

  stats(): PoolStats {
    return this.#pool.metrics()
  }

  /** Gives up everything in hand: nobody knows what has become of it. */
  fail(error: Error): void {
    this.#failure = error
    for (const reject of this.#inHand) reject(error)
  }

  async close(timeoutMs: number): Promise<void> {
    if (this.#failure === undefined) await this.#pool.close({ timeoutMs })
    this.#watch[Symbol.dispose]()
  }

  async #write(request: HttpRequest): Promise<Answer> {
    const { body } = request
    if (body === undefined || body instanceof Uint8Array) return this.#writeWhole(request, body)
    // Before anything of it is read, which is what costs most of a write that is refused.
    if (!this.#hasRoomFor(request)) return busyResponse()
    const pieces = body[Symbol.asyncIterator]()
    try {
      if (!this.takesWhole(request)) checkBodyHead(request, this.#options.maxBodyBytes)
      const first = await firstPieces(pieces)
      return first.isAll
        ? await this.#writeWhole(request, first.bytes)
        : await this.#uploadOneMore(request, first.bytes, pieces)
    } finally {
      await pieces.return?.()
    }
  }

  /** Whether a request would be taken if its body were here, as far as its head says. */
  #hasRoomFor({ headers }: HttpRequest): boolean {
    const { maxQueuedRequests, maxQueuedBytes } = this.#options
    const length = Number(headers['content-length'] ?? 0)
    return (
      this.#pool.pending < maxQueuedRequests + writesInHand &&
      this.#queuedBytes + Math.min(length, maxParsedBytes) <= maxQueuedBytes &&
      (length <= maxParsedBytes || this.#uploads.hasRoom)
    )
  }

  async #writeWhole(request: HttpRequest, body: Uint8Array | undefined): Promise<Answer> {
    const task = requestBytes(requestText(request, this.#headers), body)
    if (this.#queuedBytes + task.length > this.#options.maxQueuedBytes) return busyResponse()
    this.#queuedBytes += task.length
    let received: Received
    try {
      // So they share a commit.
      const turn = this.#turn.end()
      if (turn !== undefined) await turn
      received = parseAnswerBytes(await this.#ask(() => this.#pool.run(task, writeOptions)))
      if (received.kind === AnswerKind.PutOff) {
        if (this.#slowWrites.waiting >= this.#options.maxQueuedRequests) return busyResponse()
        received = parseAnswerBytes(await this.#writeSlowly(task))
      }
    } finally {
      this.#queuedBytes -= task.length
    }
    return this.#answer(request, received)
  }

  /** Carries out what was put off, whether or not somebody waits for the answer, as all that has arrived. */
  #writeSlowly(task: Uint8Array): Promise<Uint8Array> {
    return this.#slowWrites.run(() => this.#ask(() => this.#pool.run(task, slowWriteOptions)))
  }

  async #uploadOneMore(
    request: HttpRequest,
    first: Uint8Array,
    pieces: AsyncIterator<Uint8Array>,
  ): Promise<Answer> {
    // What {@link #hasRoomFor} asks of one that says its length.
    const isFull = this.#queuedBytes + maxParsedBytes > this.#options.maxQueuedBytes
    const place = isFull ? undefined : this.#uploads.take()
    if (place === undefined) return busyResponse()
    try {
      return await this.#upload(request, first, pieces, place)
    } finally {
      this.#uploads.leave(place)
    }
  }

  async #upload(
    request: HttpRequest,
    first: Uint8Array,
    pieces: AsyncIterator<Uint8Array>,
    place: UploadPlace,
  ): Promise<Answer> {
    const ticket = nextTicket(this.#progress)
    const task = pieceBytes(ticket, requestBytes(requestText(request, this.#headers), undefined))
    const given = new AbortController()
    const options = { name: 'upload', priority: 0, signal: given.signal } as const
    const answer = this.#ask(() => this.#pool.run(task, options))
    let isComplete = false
    try {
      isComplete = await this.#sendPieces(ticket, first, pieces, place, answer)
      if (isComplete) await this.#ask(() => this.#pool.run(ticket, { name: 'end', priority: 0 }))
    } catch (error) {
      // Not by another task: the queue may be too full for one.
      given.abort(error)
      await answer.catch(() => {})
      // The writer has died and had not got all of it, so that nothing was written.
      if (!isComplete && answerTo(error) === unknownOutcomeResponse) return busyResponse()
      throw error
    }
    return this.#answer(request, parseAnswerBytes(await answer))
  }

  /** Sends a body, piece by piece. @returns whether that was all of it; not where the answer came before. */
  async #sendPieces(
    ticket: number,
    first: Uint8Array,
    pieces: AsyncIterator<Uint8Array>,
    place: UploadPlace,
    answer: Promise<unknown>,
  ): Promise<boolean> {
    const stopped = Promise.race([answer, place.givenUp])
    const race = new Race(stopped)
    await race.run(this.#sendPiece(pieceBytes(ticket, first)))
    for (;;) {
      place.wait()
      const next = await race.run(pieces.next())
      if (next === undefined) {
        await stopped
        return false
      }
      place.received(next.value?.length ?? 0)
      if (next.done === true) return true
      const piece = pieceBytes(ticket, next.value, this.#pieceMemory)
      if (pieces instanceof RequestBody) pieces.giveBack(next.value)
      await this.#sendPiece(piece)
    }
  }

  /**
   * Resolves when the writer wants more. A piece counts among what waits for it, and is not refused for that: each
   * upload has one at most.
   */
  async #sendPiece(piece: Uint8Array): Promise<void> {
    const { length } = piece
    this.#queuedBytes += length
    try {
      // The pool has copied it when `run()` returns: what there is no room for it refuses.
      await this.#ask(() => this.#pool.run(piece, pieceOptions))
    } finally {
      this.#queuedBytes -= length
    }
  }

  #answer(request: HttpRequest, received: Received): Answer | Promise<Answer> {
    const { kind, ticket, status, headers, body } = received
    if (kind === AnswerKind.Large) return this.#receiveLarge(request, ticket, status)
    this.#large.noteSmall()
    if (kind === AnswerKind.Bare) return { status, headers }
    return { status, headers, body: kind === AnswerKind.Whole ? body : [body] }
  }

  async #receiveLarge(request: HttpRequest, ticket: number, status: number): Promise<Answer> {
    try {
      return await this.#large.receive(request, (window) =>
        this.#pool.run({ ticket, window }, { name: 'sendLarge', priority: 1 }),
      )
    } catch (error) {
      void this.#drop(ticket)
      if (request.signal.aborted) throw requestAborted()
      // It was refused: that was to show what is there instead.
      if (status >= 400) throw error
      return unshownResponse(error, this.#log)
    }
  }

  /** Lets go of an answer: while nobody asks for it, it holds its snapshot. */
  async #drop(ticket: number): Promise<void> {
    try {
      await this.#pool.run(ticket, { name: 'drop', priority: 0 })
    } catch (error) {
      // Otherwise its thread has gone, and the answer with it.
      const isFull = error instanceof ThreadPoolError && error.code === 'ERR_QUEUE_FULL'
      if (isFull) setTimeout(() => void this.#drop(ticket), dropAgainMs).unref()
    }
  }

  #ask<T>(run: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure
      this.#inHand.add(reject)
      run().then(
        (value) => {
          this.#inHand.delete(reject)
          return resolve(value)
        },
        (error: unknown) => {
          this.#inHand.delete(reject)
          reject(error)
        },
      )
    })
  }

  #failureAnswer(error: unknown, request: HttpRequest): Answer {
    if (error === this.#failure) return unknownOutcomeResponse()
    if (!(error instanceof ThreadPoolError)) return writeFailureResponse(error, this.#log)
    const answer = answerTo(error)
    if (answer === undefined) return failureResponse(error, this.#log)
    if (answer === unknownOutcomeResponse) {
      this.#log.error({ err: error, url: request.url }, 'The writer died with a request in hand')
    }
    return answer()
  }
}

const poolFailureAnswers: { readonly [Code in ThreadPoolErrorCode]?: () => HttpResponse } = {
  ERR_QUEUE_FULL: busyResponse,
  ERR_CRASH_LOOP: busyResponse,
  ERR_POOL_CLOSED: busyResponse,
  ERR_WORKER_EXITED: unknownOutcomeResponse,
  ERR_TASK_QUARANTINED: unknownOutcomeResponse,
}

function answerTo(error: unknown): (() => HttpResponse) | undefined {
  return error instanceof ThreadPoolError ? poolFailureAnswers[error.code] : undefined
}

const writeOptions = { name: 'write' as const, priority: 0 }
const slowWriteOptions = { name: 'slowWrite' as const, priority: 0 }
const pieceOptions = { name: 'piece' as const, priority: 0 }

/** What one task carries of a body. */
async function firstPieces(
  pieces: AsyncIterator<Uint8Array>,
): Promise<{ readonly bytes: Uint8Array; readonly isAll: boolean }> {
  const taken = new GatheredBytes()
  while (taken.length <= maxParsedBytes) {
    const next = await pieces.next()
    if (next.done === true) return { bytes: taken.take(), isAll: true }
    taken.add(next.value)
  }
  return { bytes: taken.take(), isAll: false }
}
