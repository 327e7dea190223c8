import type { HttpResponse, RawHeaders } from '../message.ts'
import { bareHeaders, sharedHeaders } from '../response.ts'

/** What comes back from a thread that was asked. */
export const AnswerKind = {
  /** An answer with its body. */
  Whole: 0,
  /** An answer without a body. */
  Bare: 1,
  /** An answer whose body is to be sent in blocks, because nobody knew its length; the bytes are all of it. */
  Blocks: 2,
  /** The body is too large to come back at once: ask for it as a stream. The head comes with it. */
  Large: 3,
  /** A write takes long, and nothing was done: ask again when there is a place for it. */
  PutOff: 4,
} as const
export type AnswerKind = (typeof AnswerKind)[keyof typeof AnswerKind]

/** An answer, or what to do to get one. */
export interface Received {
  readonly kind: AnswerKind
  /** With `Large` from the writer: the number under which it goes on. In the head of a large answer: its length. */
  readonly ticket: number
  readonly status: number
  readonly headers: RawHeaders
  readonly body: Uint8Array
}

// Kind, ticket, status, code of the headers: a shared list, or how long the text is that they are sent as.
const prefixBytes = 9

/** Writes an answer as bytes for another thread. */
export function answerBytes(
  kind: AnswerKind,
  ticket: number,
  { status, headers }: HttpResponse,
  body: Uint8Array | undefined,
): Uint8Array {
  const shared = sharedHeaders.indexOf(headers)
  const text = shared === -1 ? headers.join('\n') : ''
  const bytes = Buffer.allocUnsafe(prefixBytes + text.length + (body?.length ?? 0))
  bytes[0] = kind
  bytes.writeUInt32LE(ticket, 1)
  bytes.writeUInt16LE(status, 5)
  bytes.writeUInt16LE(shared === -1 ? sharedHeaders.length + text.length : shared, 7)
  bytes.write(text, prefixBytes, 'latin1')
  if (body !== undefined) bytes.set(body, prefixBytes + text.length)
  return bytes
}

/**
 * Says that the answer is large.
 * @param status That of the answer, where it is known before its head comes.
 */
export function largeBytes(ticket: number, status = 0): Uint8Array {
  return answerBytes(AnswerKind.Large, ticket, { status, headers: bareHeaders }, undefined)
}

/** Says that nothing was done, because it takes long. */
export function putOffBytes(): Uint8Array {
  return answerBytes(AnswerKind.PutOff, 0, { status: 0, headers: bareHeaders }, undefined)
}

/** Reads what {@link answerBytes} has written. The body is a view of `bytes`. */
export function parseAnswerBytes(bytes: Uint8Array): Received {
  const memory = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const code = memory.readUInt16LE(7)
  const shared = sharedHeaders[code]
  const bodyStart = prefixBytes + (shared === undefined ? code - sharedHeaders.length : 0)
  return {
    kind: memory[0] as AnswerKind,
    ticket: memory.readUInt32LE(1),
    status: memory.readUInt16LE(5),
    headers: shared ?? memory.toString('latin1', prefixBytes, bodyStart).split('\n'),
    body: memory.subarray(bodyStart),
  }
}
