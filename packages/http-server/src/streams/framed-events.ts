import type { ChangeCursor, PairFrame, PairTarget } from '@elkyn/tree'
import type { ChangeEvent } from './change-events.ts'
import { Elsewhere } from './elsewhere.ts'
import { jsonEventText } from './event-frame.ts'
import { pairFrame } from './pair-frame.ts'
import type { StreamTarget } from './stream-target.ts'

/** Events in one piece, ready to be sent. */
export interface FramedPiece {
  readonly count: number
  readonly bytes: Uint8Array
  /** Whether they lie in the memory that was lent for them, from its beginning on. */
  readonly isLent?: boolean
  /** To be called once, when nobody looks at the bytes any more. None where they are nobody else's then either. */
  readonly release?: (() => void) | undefined
}

/** Bytes of a value that are held in one piece. */
export const maxWholeBytes: number = 256 * 1024

/**
 * Bytes of events that are framed in one piece; the last of them may reach beyond. To frame so many takes about as long as
 * a thread may work for one client before others come, and each further piece costs that it is asked for.
 */
export const maxFramedBytes: number = 1024 * 1024

/** Fewer bytes are not worth the memory that is lent for them: they are copied out of it. */
export const minLentBytes: number = 32 * 1024

/** Most who come back have missed no more. */
const firstBytes = 4096

/** How much more a piece may be, which ends with a whole event, unless that is large. */
export const likelyExcess: number = 16 * 1024

/**
 * Gathers what was missed at one path as the bytes that are sent. Most changes are one `put` each, of a
 * text that lies in the log as it goes out: those are copied. To read them and to write them again would take
 * several times as long as to send them.
 */
export class FramedEvents {
  /** How pairs are copied; `undefined` where values are not shown as they are stored, which arrays are not in `export`. */
  readonly #frame: PairFrame | undefined
  readonly #elsewhere: Elsewhere
  readonly #lent: Buffer | undefined
  readonly #target: FramedTarget

  /**
   * @param limit Bytes with which a piece is full.
   * @param lent Memory that is used as far as it goes, unless it is very little. Default: none.
   */
  constructor({ path, form }: StreamTarget, limit: number, lent?: Buffer) {
    const frame = pairFrame(path)
    this.#frame = form === 'plain' ? frame : undefined
    this.#elsewhere = new Elsewhere(frame)
    this.#target = new FramedTarget(limit)
    this.#lent = lent
  }

  /** Whether a piece is full. */
  get isFull(): boolean {
    return this.#target.end >= this.#target.limit
  }

  add({ name, json, id }: ChangeEvent): void {
    const target = this.#target
    const block = jsonEventText(name, json, id)
    this.#reserve(target.end + block.length * 3)
    target.end += target.bytes.write(block, target.end)
    target.count++
  }

  /**
   * Adds what the change means that the cursor is at, and what those behind it mean, as far as that needs no
   * reading of them.
   * @param most Changes that are added.
   * @returns how many they are. 0: the one that it is at has to be read.
   */
  addCopied(changes: ChangeCursor, most: number): number {
    if (this.#frame === undefined) return this.#elsewhere.pass(changes, most)
    const target = this.#target
    const done = changes.copyPairs(this.#frame, target, most)
    if (done > 0 || target.wanted === 0) return done
    this.#reserve(target.wanted)
    return changes.copyPairs(this.#frame, target, most)
  }

  take(): { readonly events: readonly []; readonly framed: FramedPiece } {
    const { bytes: memory, end, count } = this.#target
    const bytes = memory.subarray(0, end)
    const isInLent = memory === this.#lent
    const isLent = isInLent && end >= minLentBytes
    const own = isInLent && !isLent ? Buffer.from(bytes) : bytes
    return { events: [], framed: { count, bytes: own, isLent } }
  }

  #reserve(length: number): void {
    const target = this.#target
    if (length <= target.bytes.length) return
    const larger = this.#larger(length)
    target.bytes.copy(larger, 0, 0, target.end)
    target.bytes = larger
  }

  #larger(length: number): Buffer {
    const lent = this.#lent
    if (lent !== undefined && length <= lent.length) return lent
    const { bytes, limit } = this.#target
    return Buffer.allocUnsafeSlow(Math.max(length, limit + likelyExcess, 2 * bytes.length))
  }
}

/** Where the events of a piece are gathered. */
class FramedTarget implements PairTarget {
  // Memory of its own, so that another thread can be given it instead of a copy.
  bytes: Buffer = Buffer.allocUnsafeSlow(firstBytes)
  end = 0
  readonly limit: number
  count = 0
  wanted = 0

  constructor(limit: number) {
    this.limit = limit
  }
}
