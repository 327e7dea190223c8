import type { MessagePort } from 'node:worker_threads'
import type { TreeStore, TreeStoreStats } from '@elkyn/tree'
import { defineWorker } from '@elkyn/thread-pool/worker'
import type { TaskContext, WorkerDefinition } from '@elkyn/thread-pool/worker'
import { failureResponse, unshownResponse } from '../failure.ts'
import type { HttpResponse, RequestHandler } from '../message.ts'
import { Places } from '../places.ts'
import { PutOffAnswer, putOffWrite } from '../put-off.ts'
import { maxSlowWrites, writerHandlersOf } from '../request-handler.ts'
import { StreamedAnswers } from '../streamed-answers.ts'
import { ResumedBlocks } from '../resumed-blocks.ts'
import { WatchedStore } from '../watched-store.ts'
import { AnswerKind, answerBytes, largeBytes, putOffBytes } from './answer-bytes.ts'
import { sendLarge } from './large-answer.ts'
import type { Patience } from './large-answer.ts'
import { changeMessage } from './change-message.ts'
import { parsePieceBytes, parseRequestBytes } from './request-text.ts'
import { SmallRequests } from './small-requests.ts'
import { SpoolRoom } from './spool-room.ts'
import { ThreadChannel } from './thread-channel.ts'
import { openDescribed } from './thread-data.ts'
import type { ThreadData } from './thread-data.ts'
import { Upload } from './upload.ts'
import { keepCompiled } from './worker-module.ts'
import { beat, nextTicket, setOpened } from './writer-progress.ts'

interface Writer {
  readonly store: TreeStore
  readonly channel: ThreadChannel
  /** For what shares the hands of this thread with all others, */
  readonly handle: RequestHandler
  /** and for what has a place of its own. */
  readonly handlePatiently: RequestHandler
  readonly patience: Patience
  readonly small: SmallRequests
  readonly tickets: Tickets
  /** For answers that have to read large values before they begin. */
  readonly readings: Places
  readonly stopBeating: () => void
}

/** What goes on over several tasks. */
interface Tickets {
  readonly next: () => number
  readonly uploads: Map<number, Upload>
  readonly answers: Map<number, HttpResponse>
}

export interface LargeWritten {
  readonly ticket: number
  readonly window: SharedArrayBuffer
}

const neverAborted = new AbortController().signal

// Not an interface, which has no index signature.
type WriterHandlers = {
  ready: () => void
  stats: (_: undefined, context: TaskContext<Writer>) => TreeStoreStats | undefined
  write: (task: Uint8Array, context: TaskContext<Writer>) => Promise<Uint8Array>
  slowWrite: (task: Uint8Array, context: TaskContext<Writer>) => Promise<Uint8Array>
  upload: (task: Uint8Array, context: TaskContext<Writer>) => Promise<Uint8Array>
  piece: (task: Uint8Array, context: TaskContext<Writer>) => Promise<void>
  end: (ticket: number, context: TaskContext<Writer>) => void
  drop: (ticket: number, context: TaskContext<Writer>) => void
  sendLarge: (task: LargeWritten, context: TaskContext<Writer>) => Promise<void>
  listen: (task: { readonly port: MessagePort }, context: TaskContext<Writer>) => void
}

/** The one thread that writes. What waits for it together shares a commit. */
export const worker: WorkerDefinition<Writer, WriterHandlers> = defineWorker({
  async setup({ workerData }): Promise<Writer> {
    const data = workerData as ThreadData
    const channel = new ThreadChannel(data.channel)
    const progress = new Int32Array(data.progress)
    const opened = await openDescribed(data.store, {
      readOnly: false,
      progress: { words: progress },
    })
    const store = new WatchedStore(opened, (error) => channel.storeFailed(error))
    setOpened(progress)
    keepCompiled()
    const { maxBodyBytes, maxStreamedAnswers, plan, patienceMs, spool } = data
    const { quick, patient } = writerHandlersOf({
      store,
      maxBodyBytes,
      streamedAnswers: new StreamedAnswers(maxStreamedAnswers),
      log: channel.log,
      plan,
    })
    return {
      store,
      channel,
      handle: quick,
      handlePatiently: patient,
      patience: { patienceMs, room: new SpoolRoom(spool) },
      small: new SmallRequests(() => performance.now()),
      tickets: { next: () => nextTicket(progress), uploads: new Map(), answers: new Map() },
      readings: new Places(maxSlowWrites),
      stopBeating: beat(progress),
    }
  },

  async teardown({ store, channel, stopBeating }: Writer) {
    stopBeating()
    channel.close()
    await store.close()
  },

  handlers: {
    ready() {},

    stats(_: undefined, { state }: TaskContext<Writer>): TreeStoreStats | undefined {
      return state.store.stats?.()
    },

    /** A request whose body, if any, is here. What takes long is put off. */
    async write(task: Uint8Array, { state }: TaskContext<Writer>): Promise<Uint8Array> {
      state.small.note()
      const { head, body } = parseRequestBytes(task)
      return encode(await state.handle({ ...head, body, signal: neverAborted }), state)
    },

    /** The same for one that was put off. */
    async slowWrite(task: Uint8Array, { state }: TaskContext<Writer>): Promise<Uint8Array> {
      const { head, body } = parseRequestBytes(task)
      return encode(await state.handlePatiently({ ...head, body, signal: neverAborted }), state)
    },

    /**
     * A request whose body comes, under its number, in further tasks. Gives the answer, which may come before the
     * end of the body. One that is cancelled has not got all of it.
     */
    async upload(task: Uint8Array, { state, signal }: TaskContext<Writer>): Promise<Uint8Array> {
      const { ticket, piece } = parsePieceBytes(task)
      const { head } = parseRequestBytes(piece)
      const upload = new Upload(head, state.handlePatiently, state.small)
      const { uploads } = state.tickets
      uploads.set(ticket, upload)
      signal.addEventListener('abort', () => upload.abort(), { once: true })
      // Cancelled before: no event follows.
      if (signal.aborted) upload.abort()
      const answer = await upload.answer
      uploads.delete(ticket)
      return encode(answer, state)
    },

    /** Some of it. Resolves when still more is wanted, or nothing any more. */
    async piece(task: Uint8Array, { state }: TaskContext<Writer>): Promise<void> {
      const { ticket, piece } = parsePieceBytes(task)
      await state.tickets.uploads.get(ticket)?.add(piece)
    },

    /** That was all of it. */
    end(ticket: number, { state }: TaskContext<Writer>): void {
      state.tickets.uploads.get(ticket)?.end()
    },

    /** Nobody wants an answer that was too large to come back at once. */
    drop(ticket: number, { state }: TaskContext<Writer>): void {
      const body = state.tickets.answers.get(ticket)?.body as Iterable<Uint8Array> | undefined
      state.tickets.answers.delete(ticket)
      body?.[Symbol.iterator]().return?.()
    },

    /** Sends what each commit changes, before its writes are answered. */
    listen({ port }: { readonly port: MessagePort }, { state }: TaskContext<Writer>): void {
      const stop = state.store.subscribe((changes) => port.postMessage(changeMessage(changes)))
      port.on('close', stop)
      // Nothing comes from there, but only a port that is open says that it was closed.
      port.start()
      port.unref()
    },

    /** Sends an answer that was too large to come back at once. */
    async sendLarge(
      { ticket, window }: LargeWritten,
      { state }: TaskContext<Writer>,
    ): Promise<void> {
      const answer = state.tickets.answers.get(ticket)
      state.tickets.answers.delete(ticket)
      try {
        await sendLarge(window, state.patience, async ({ rest }) => {
          if (answer === undefined) throw new Error('An answer is wanted that nobody has')
          if (!(answer instanceof PutOffAnswer)) return answer
          return await state.readings.run(() => answer.read(rest))
        })
      } catch (error) {
        state.channel.log.error({ err: error }, 'A large answer could not be read')
      }
    },
  },
})

// Blocks up to so many bytes come back at once.
const maxGatheredBytes = 256 * 1024

function encode(answer: HttpResponse, writer: Writer): Uint8Array {
  if (answer === putOffWrite) return putOffBytes()
  if (answer instanceof PutOffAnswer) {
    const ticket = writer.tickets.next()
    writer.tickets.answers.set(ticket, answer)
    return largeBytes(ticket, answer.status)
  }
  const { body, ...head } = answer
  if (body === undefined) return answerBytes(AnswerKind.Bare, 0, head, undefined)
  if (body instanceof Uint8Array) return answerBytes(AnswerKind.Whole, 0, head, body)
  try {
    return encodeBlocks(head, body, writer.tickets)
  } catch (error) {
    const { log } = writer.channel
    // Of a write that was refused, they are what is there instead.
    const isRefused = head.status >= 400
    return encode(isRefused ? failureResponse(error, log) : unshownResponse(error, log), writer)
  }
}

function encodeBlocks(
  head: HttpResponse,
  body: Iterable<Uint8Array>,
  tickets: Tickets,
): Uint8Array {
  const gathered: Uint8Array[] = []
  let length = 0
  const blocks = body[Symbol.iterator]()
  for (let next = blocks.next(); next.done !== true; next = blocks.next()) {
    gathered.push(next.value)
    length += next.value.length
    if (length <= maxGatheredBytes) continue
    const ticket = tickets.next()
    tickets.answers.set(ticket, { ...head, body: new ResumedBlocks(gathered, blocks) })
    return largeBytes(ticket, head.status)
  }
  return answerBytes(AnswerKind.Blocks, 0, head, Buffer.concat(gathered, length))
}
