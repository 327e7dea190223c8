import { answerUnwanted } from '../errors.ts'
import type { HttpResponse } from '../message.ts'
import type { TimeSlice } from '../time-slice.ts'
import { AnswerKind, answerBytes } from './answer-bytes.ts'
import { PermittedSlice } from './permitted-slice.ts'
import type { ScanPermits } from './scan-permits.ts'
import type { SpoolRoom } from './spool-room.ts'
import { WindowSender } from './window-sender.ts'

/** What is done for a client that is slow. */
export interface Patience {
  /** How long it may take before the rest goes into a file. */
  readonly patienceMs: number
  readonly room: SpoolRoom
}

/** Bytes in front of the head that say how long it is. */
export const headLengthBytes = 4

/**
 * Sends an answer of any size through a window: its head, then its body, in slices. Stops when the
 * receiver wants nothing more.
 *
 * @param make Gives the answer, as soon as it can be given.
 * @param permits Leave to read, of which there is one less than threads. Default: it is not needed.
 * @throws what `make` and its blocks throw; the receiver knows of it.
 */
export async function sendLarge(
  buffer: SharedArrayBuffer,
  { patienceMs, room }: Patience,
  make: (slice: TimeSlice) => Promise<HttpResponse>,
  permits?: ScanPermits,
): Promise<void> {
  const sender = new WindowSender(buffer, patienceMs, room)
  const slice = new PermittedSlice(() => {
    if (sender.isCancelled) throw answerUnwanted()
  }, permits)
  let blocks: Iterator<Uint8Array> | undefined
  try {
    await slice.begin()
    const answer = await make(slice)
    const body = bodyOf(answer)
    blocks = body.blocks[Symbol.iterator]()
    await slice.aside(sender.send(headBytes(answer, body)))
    for (let next = blocks.next(); next.done !== true; next = blocks.next(next.value)) {
      await slice.aside(sender.send(next.value))
      await slice.rest()
    }
    sender.end()
  } catch (error) {
    sender.fail()
    if (!sender.isCancelled) throw error
  } finally {
    slice.end()
    // In every case: what is read may hold a snapshot.
    blocks?.return?.()
  }
}

interface Body {
  readonly kind: AnswerKind
  readonly blocks: Iterable<Uint8Array>
  /** Of a body in one piece. */
  readonly length: number
}

function bodyOf({ body }: HttpResponse): Body {
  if (body === undefined) return { kind: AnswerKind.Bare, blocks: [], length: 0 }
  if (!(body instanceof Uint8Array)) return { kind: AnswerKind.Blocks, blocks: body, length: 0 }
  return { kind: AnswerKind.Whole, blocks: [body], length: body.length }
}

function headBytes(answer: HttpResponse, { kind, length }: Body): Uint8Array {
  const head = answerBytes(kind, length, answer, undefined)
  const bytes = Buffer.allocUnsafe(headLengthBytes + head.length)
  bytes.writeUInt32LE(head.length)
  bytes.set(head, headLengthBytes)
  return bytes
}
