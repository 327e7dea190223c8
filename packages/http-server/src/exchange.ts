import type { Answer, HttpRequest, RawHeaders } from './message.ts'

/** One request and the way of its answer, in whichever version of HTTP. */
export interface Exchange extends HttpRequest {
  /** Whether nobody is there any more to take an answer. */
  readonly isGone: boolean
  /** Whether the head of an answer was handed over. */
  readonly isAnswered: boolean
  /** Calls `listener` once when whoever asked has gone before the answer had left. */
  onGone(listener: () => void): void
  offGone(listener: () => void): void
  /** To be called when the answer was handed over, or nobody wants it. */
  settled(): void
  /** Sends an answer in one piece. That to `HEAD` is sent without its body. */
  sendWhole(answer: Answer, body: Uint8Array | undefined): void
  /** Sends the head of an answer whose body follows in pieces. */
  sendHead(answer: Answer): void
  /** @returns whether more is taken at once; else there is {@link drained}. */
  write(bytes: Uint8Array): boolean
  /** Sends bytes that may change afterwards: resolves when they have left, or nobody is there any more. */
  writeThrough(bytes: Uint8Array): Promise<void>
  /** Resolves when more is taken, or nobody is there any more. */
  drained(): Promise<void>
  end(): void
  /** Breaks off an answer, which must not look like one that ended. */
  breakOff(): void
  /** Sends the head of an answer that goes on until one side ends it. */
  openStream(status: number, headers: RawHeaders): OutgoingStream
}

/**
 * The way of an answer that goes on until one side ends it. Nothing is added to what is written, so that
 * the same bytes may go to many. Its exchange is gone when the client is: also one that has closed only its own side.
 */
export interface OutgoingStream {
  /** Bytes that were written and that the system has not taken. */
  readonly pendingBytes: number
  /** Called each time when all has left that {@link write} said was too much. */
  onDrain: (() => void) | undefined
  /** Sends the bytes at once. @returns whether more should follow before {@link onDrain}. */
  write(bytes: Uint8Array): boolean
  /** The same with bytes that may change after `release` was called, which happens once, also where nobody is there. */
  writeLent(bytes: Uint8Array, release: () => void): boolean
  /** Ends the answer when all that was written has left. */
  end(): void
  /** Ends it at once, whatever is pending. */
  destroy(): void
}
