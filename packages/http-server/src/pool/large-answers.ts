import { ThreadPoolError } from '@elkyn/thread-pool'
import { asError } from '../as-error.ts'
import type { Answer, HttpRequest } from '../message.ts'
import { tooManyAnswers } from '../streamed-answers.ts'
import { AnswerKind, parseAnswerBytes } from './answer-bytes.ts'
import type { Received } from './answer-bytes.ts'
import { headLengthBytes } from './large-answer.ts'
import { LargePace } from './large-pace.ts'
import { openSpoolFile } from './spool.ts'
import type { SpoolRoom } from './spool-room.ts'
import { WindowReceiver } from './window-receiver.ts'

/** How far a thread that reads runs ahead of its client, in bytes. */
const windowBytes = 512 * 1024

/** Starts a thread that sends an answer through the window; resolves when it has done with it. */
export type SendThrough = (window: SharedArrayBuffer) => Promise<unknown>

/** What has to be known of a request while its answer is on its way. */
type Waiting = Pick<HttpRequest, 'method' | 'signal'>

/** Counts the answers that are sent in blocks from other threads, and receives them. */
export class LargeAnswers {
  readonly #maximum: number
  readonly #room: SpoolRoom
  readonly #pace = new LargePace()
  #open = 0

  /** @param room What there is for the rest of what slow clients don't take. */
  constructor(maximum: number, room: SpoolRoom) {
    this.#maximum = maximum
    this.#room = room
  }

  /** Says that a small answer was given, whose like must not wait for large ones. */
  noteSmall(): void {
    this.#pace.noteSmall()
  }

  /**
   * Receives an answer until its head is known; its body goes on. A thread that dies before that is
   * replaced by another one, once.
   * @throws {Refusal} 503 when there are too many.
   */
  async receive(request: Waiting, send: SendThrough): Promise<Answer> {
    if (this.#open >= this.#maximum) throw tooManyAnswers()
    try {
      return await this.#receive(request, send)
    } catch (error) {
      const hasDied = error instanceof ThreadPoolError && error.code === 'ERR_WORKER_EXITED'
      if (!hasDied) throw error
      return await this.#receive(request, send)
    }
  }

  async #receive(request: Waiting, send: SendThrough): Promise<Answer> {
    request.signal.throwIfAborted()
    this.#open++
    const receiver = new WindowReceiver(
      windowBytes,
      this.#pace,
      () => openSpoolFile(this.#room.shared.folder),
      this.#room,
      () => this.#open--,
    )
    const { promise: aborted, reject } = Promise.withResolvers<never>()
    const cancel = (): void => reject(request.signal.reason)
    request.signal.addEventListener('abort', cancel)
    try {
      void this.#follow(receiver, send(receiver.buffer))
      const head = await Promise.race([receiveHead(receiver), aborted])
      return await this.#answer(request, head, receiver)
    } catch (error) {
      await receiver.return()
      throw error
    } finally {
      request.signal.removeEventListener('abort', cancel)
    }
  }

  async #follow(receiver: WindowReceiver, sending: Promise<unknown>): Promise<void> {
    try {
      await sending
      await receiver.senderEnded()
    } catch (error) {
      await receiver.senderEnded(asError(error))
    }
  }

  async #answer(
    { method }: Waiting,
    { kind, status, headers, ticket: length }: Received,
    receiver: WindowReceiver,
  ): Promise<Answer> {
    if (kind === AnswerKind.Blocks && method !== 'HEAD') return { status, headers, body: receiver }
    const body = kind === AnswerKind.Whole ? await receiver.takeAll(length) : undefined
    await receiver.return()
    if (kind === AnswerKind.Blocks) return { status, headers, body: [] }
    return body === undefined ? { status, headers } : { status, headers, body }
  }
}

async function receiveHead(receiver: WindowReceiver): Promise<Received> {
  const prefix = await receiver.takeAll(headLengthBytes)
  const length = Buffer.from(prefix.buffer, prefix.byteOffset).readUInt32LE()
  return parseAnswerBytes(await receiver.takeAll(length))
}
