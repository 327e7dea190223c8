import { likelyExcess, maxFramedBytes } from './framed-events.ts'
import type { StreamJob, StreamResult } from './stream-job.ts'

/** How many pieces there are: four clients that take as fast as they are sent, or more that are nearly done. */
const count = 16

/** An event goes in whole, so that a piece may be longer than where it is cut. */
const bytesEach = maxFramedBytes + likelyExcess

/**
 * Memory for pieces of events on their way to clients, used again and again: fresh memory for each has to be cleared by
 * the system, and whoever throws away megabytes of it collects garbage most of the time. Where all is in use, as it may
 * be by clients that take nothing, pieces go into memory of their own. What nobody has used takes no room.
 */
export class PieceMemory {
  /** To be seen by the threads that fill pieces. */
  readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(count * bytesEach)
  // The one used last is taken first: so no more are touched than are needed at a time.
  readonly #free: number[] = Array.from({ length: count }, (_, index) => count - 1 - index)

  /** Takes a piece, if there is one. */
  take(): MemoryPiece | undefined {
    const number = this.#free.pop()
    if (number === undefined) return undefined
    const bytes = pieceAt(this.buffer, number)
    return { number, bytes, giveBack: () => this.#free.push(number) }
  }
}

/** A piece that is nobody else's before it is given back, once, when its bytes are not looked at any more. */
export interface MemoryPiece {
  readonly number: number
  readonly bytes: Buffer
  readonly giveBack: () => void
}

/** A piece as the thread sees it that fills it. */
export function pieceAt(buffer: SharedArrayBuffer, number: number): Buffer {
  return Buffer.from(buffer, number * bytesEach, bytesEach)
}

/** Does a job with a piece for what it frames, if there is one, which is given back when that has left or there is none. */
export async function withPiece(
  memory: PieceMemory,
  { framedBytes, since }: StreamJob,
  run: (piece: MemoryPiece | undefined) => StreamResult | Promise<StreamResult>,
): Promise<StreamResult> {
  const piece = framedBytes !== undefined && since !== undefined ? memory.take() : undefined
  if (piece === undefined) return run(undefined)
  let isLent = false
  try {
    const result = await run(piece)
    const { framed } = result
    if (framed?.isLent !== true) return result
    isLent = true
    return { ...result, framed: { ...framed, release: piece.giveBack } }
  } finally {
    if (!isLent) piece.giveBack()
  }
}
