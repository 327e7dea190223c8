import { move } from '@elkyn/thread-pool/worker'
import type { Moved } from '@elkyn/thread-pool/worker'
import type { TreeStore } from '@elkyn/tree'
import { compressed } from '../compression.ts'
import { failureResponse, refusalFor } from '../failure.ts'
import type { HttpResponse, RawHeaders } from '../message.ts'
import { planRequest } from '../plan-request.ts'
import type { PlanOptions } from '../plan-request.ts'
import type { ReadPlan } from '../plan.ts'
import { tooMuchData } from '../read.ts'
import { Refusal } from '../refusal.ts'
import { SnapshotBody } from '../snapshot-body.ts'
import { inSlices } from '../steps.ts'
import type { Steps } from '../steps.ts'
import { minLentBytes } from '../streams/framed-events.ts'
import { pieceAt } from '../streams/piece-memory.ts'
import { checkStreamTarget, openWhole, streamJobSteps } from '../streams/stream-job.ts'
import type { StreamJob, StreamResult } from '../streams/stream-job.ts'
import type { StreamTarget } from '../streams/stream-target.ts'
import type { TimeSlice } from '../time-slice.ts'
import { EtagWanted, UnhurriedSnapshot, runUnhurried } from '../unhurried-snapshot.ts'
import { AnswerKind, answerBytes, largeBytes } from './answer-bytes.ts'
import { sendLarge } from './large-answer.ts'
import type { Patience } from './large-answer.ts'
import { PermittedSlice } from './permitted-slice.ts'
import { placeHeaders } from './place-headers.ts'
import { parseRequestText } from './request-text.ts'
import { ThreadChannel } from './thread-channel.ts'
import { ScanPermits } from './scan-permits.ts'
import { SpoolRoom } from './spool-room.ts'
import { streamResultBytes } from './stream-result-bytes.ts'
import { openDescribed } from './thread-data.ts'
import type { ThreadData } from './thread-data.ts'

/** A request for an answer that is too large for one piece. */
export interface LargeRead {
  readonly head: string
  readonly window: SharedArrayBuffer
}

/** The same for the whole value of a stream. */
export interface LargeStream {
  readonly target: StreamTarget
  readonly window: SharedArrayBuffer
}

/** What is to be read for streams. */
export interface ReaderJob extends StreamJob {
  /** Number of the piece of shared memory that is there for what is framed. */
  readonly piece?: number | undefined
}

/** Why a target cannot be shown. */
export interface StreamRefusal {
  readonly status: number
  readonly message: string
  readonly headers: RawHeaders
}

/** What is read for streams: as bytes where that is not much. */
export type StreamAnswer = Uint8Array | Moved<StreamResult> | StreamRefusal

/** What a thread that reads does, with a store of its own. */
export class Reader {
  readonly store: TreeStore
  readonly channel: ThreadChannel
  readonly planOptions: PlanOptions
  readonly #patience: Patience
  readonly #permits: ScanPermits
  readonly #pieces: SharedArrayBuffer

  /** @param thread Number of the calling thread among the readers. */
  static async open(data: ThreadData, thread: number): Promise<Reader> {
    const opened = await openDescribed(data.store, { readOnly: true })
    return new Reader(opened, data, thread)
  }

  constructor(
    store: TreeStore,
    { channel, plan, patienceMs, spool, permits, pieces }: ThreadData,
    thread: number,
  ) {
    this.store = store
    this.channel = new ThreadChannel(channel)
    this.planOptions = { ...plan, health: () => 'ok' }
    this.#patience = { patienceMs, room: new SpoolRoom(spool) }
    this.#permits = new ScanPermits(permits, thread)
    this.#pieces = pieces
  }

  /** Answers at once, or says that it takes longer. */
  read(head: string): Uint8Array {
    try {
      return readNow(head, this)
    } catch (error) {
      return encode(failureResponse(error, this.channel.log))
    }
  }

  /** Answers in slices, between which this thread answers others. */
  async readLarge({ head, window }: LargeRead): Promise<void> {
    try {
      await this.#send(window, (slice) => readInSlices(head, this, slice))
    } catch (error) {
      this.channel.log.error({ err: error }, 'A large answer could not be read')
    }
  }

  /** At once, or in slices where many children are looked at. */
  runStreamJob(job: ReaderJob): StreamAnswer | Promise<StreamAnswer> {
    const { piece } = job
    const lent = piece === undefined ? undefined : pieceAt(this.#pieces, piece)
    const steps = streamJobSteps(this.store, job, lent)
    try {
      const { done, value } = steps.next()
      return done === true ? streamAnswer(value) : this.#streamAnswerInSlices(steps)
    } catch (error) {
      return streamRefusal(error)
    }
  }

  async #streamAnswerInSlices(steps: Steps<StreamResult>): Promise<StreamAnswer> {
    const slice = new PermittedSlice(() => {}, this.#permits)
    await slice.begin()
    try {
      return streamAnswer(await inSlices(steps, slice))
    } catch (error) {
      return streamRefusal(error)
    } finally {
      slice.end()
    }
  }

  checkStream(target: StreamTarget): StreamRefusal | undefined {
    try {
      checkStreamTarget(this.store, target)
      return undefined
    } catch (error) {
      // Whoever asks can be told of what the store could not do. An open stream asks again.
      return asPlain(refusalFor(error, this.channel.log))
    }
  }

  async streamLarge({ target, window }: LargeStream): Promise<void> {
    try {
      await this.#send(window, (slice) => wholeResponse(this.store, target, slice))
    } catch (error) {
      this.channel.log.error({ err: error }, 'The value of a stream could not be read')
    }
  }

  #send(window: SharedArrayBuffer, make: Parameters<typeof sendLarge>[2]): Promise<void> {
    return sendLarge(window, this.#patience, make, this.#permits)
  }

  async close(): Promise<void> {
    this.channel.close()
    await this.store.close()
  }
}

function streamAnswer(result: StreamResult): StreamAnswer {
  const { framed } = result
  // To copy a little costs less than a message by itself.
  const isMoved = framed?.isLent === false && framed.bytes.length >= minLentBytes
  if (!isMoved) return streamResultBytes(result)
  return move(result, [framed.bytes.buffer as ArrayBuffer])
}

/** Why a target is refused, as it can be told another thread. @throws what is no refusal. */
function streamRefusal(error: unknown): StreamRefusal {
  if (!(error instanceof Refusal)) throw error
  return asPlain(error)
}

function asPlain({ status, message, headers }: Refusal): StreamRefusal {
  return { status, message, headers }
}

async function wholeResponse(
  store: TreeStore,
  target: StreamTarget,
  slice: TimeSlice,
): Promise<HttpResponse> {
  const steps = openWhole(store, target, (whole, snapshot, { keys }) => {
    return new SnapshotBody(behindKeys(keys, whole), () => snapshot.close())
  })
  const { sequence, id, known, blocks } = await inSlices(steps, slice)
  const headers = placeHeaders(sequence, id, known.keys?.length)
  return { status: 200, headers, body: blocks }
}

function* behindKeys(
  keys: Uint8Array | undefined,
  blocks: Iterable<Uint8Array>,
): Iterable<Uint8Array> {
  if (keys !== undefined) yield keys
  yield* blocks
}

function readNow(head: string, { store, planOptions }: Reader): Uint8Array {
  const request = parseRequestText(head)
  const plan = planRequest(request, planOptions)
  if (plan.kind === 'respond') return encode(plan.response)
  const read = asRead(plan)
  using snapshot = new UnhurriedSnapshot(store.snapshot())
  try {
    const response = read.run(snapshot)
    const { body } = response
    if (body === undefined) return encode(compressed(response, read.compression))
    if (body instanceof Uint8Array) {
      if (read.maxBytes !== undefined && body.length > read.maxBytes) throw tooMuchData()
      return encode(compressed(response, read.compression))
    }
    body[Symbol.iterator]().return?.()
    if (request.method !== 'HEAD' || read.maxBytes !== undefined) return largeBytes(0)
    return answerBytes(AnswerKind.Blocks, 0, compressed(response, read.compression), undefined)
  } catch (error) {
    if (error instanceof EtagWanted) return largeBytes(0)
    throw error
  }
}

function encode(response: HttpResponse): Uint8Array {
  const body = response.body as Uint8Array | undefined
  return answerBytes(body === undefined ? AnswerKind.Bare : AnswerKind.Whole, 0, response, body)
}

async function readInSlices(
  head: string,
  { store, planOptions, channel }: Reader,
  slice: TimeSlice,
): Promise<HttpResponse> {
  const snapshot = new UnhurriedSnapshot(store.snapshot())
  try {
    const plan = asRead(planRequest(parseRequestText(head), planOptions))
    const found = await runUnhurried(plan, snapshot, slice.rest)
    const response = compressed(found, plan.compression)
    const { body } = response
    if (body !== undefined && !(body instanceof Uint8Array)) {
      return { ...response, body: new SnapshotBody(body, () => snapshot.close()) }
    }
    snapshot.close()
    return response
  } catch (error) {
    snapshot.close()
    return failureResponse(error, channel.log)
  }
}

function asRead(plan: ReturnType<typeof planRequest>): ReadPlan {
  if (plan.kind === 'read') return plan
  throw new Error(`A reader cannot carry out a plan to ${plan.kind}`)
}
