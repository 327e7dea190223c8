// The ring of one band, after Dmitry Vyukov's bounded MPMC queue
// (https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue), with the changes that
// layout.ts explains. It is not lock-free: a thread that stops between owning a position and
// publishing it delays those behind it.
import { BAND, CELL, CLOSED_BIT, LINE, bandAt, cellAt, stampsOf, wordAt } from './layout.ts'
import type { Layout } from './layout.ts'

// Why no position was found. Odd, because positions (doubled, see layout.ts) are even.
/** The band holds `capacity` items. */
const FULL = 1
/** Another thread owns the next slot and has not finished with it. */
export const BUSY = 3
/** Closed for producers; closed and drained for consumers. */
export const CLOSED = 5
/** Nothing has been put in that was not taken. */
export const EMPTY = 7

/** Tells a result of `find…` that is no position. */
export function isOutcome(result: number): boolean {
  return (result & 1) !== 0
}

/** One participant's view of the ring of one band. */
export class Ring {
  readonly band: number
  /** How many positions the last successful `find…` has found. */
  count = 0

  readonly #words: Int32Array
  readonly #tail: number
  readonly #head: number
  readonly #highWater: number
  readonly #stamps: number
  readonly #capacity: number
  readonly #mask: number
  readonly #stampShift: number
  readonly #stampRotate: number
  readonly #slots: number
  readonly #slotWords: number
  readonly #cell: number
  /** A HEAD that was true once: depths computed with it are never too small. */
  #oldHead: number

  constructor(words: Int32Array, layout: Layout, band: number, participant: number) {
    this.band = band
    this.#words = words
    const at = bandAt(layout, band)
    this.#tail = at + BAND.TAIL
    this.#head = at + BAND.HEAD
    this.#highWater = at + BAND.HIGH_WATER
    this.#stamps = stampsOf(layout, band)
    this.#capacity = layout.capacity
    this.#mask = layout.capacity - 1
    // stampIndex() in two shifts.
    this.#stampShift = layout.capacity < LINE * 2 ? 0 : 4
    this.#stampRotate = layout.capacity < LINE * 2 ? 31 : 31 - Math.clz32(layout.capacity) - 4
    this.#slots = layout.slots + band * layout.capacity * layout.slotWords
    this.#slotWords = layout.slotWords
    this.#cell = cellAt(layout, participant)
    this.#oldHead = wordAt(words, this.#head)
  }

  /**
   * Looks for up to `max` (at most MAX_BATCH) free positions that follow each other.
   * @returns the first one; how many is in `count`. Or FULL, BUSY or CLOSED.
   */
  findFree(max: number): number {
    const words = this.#words
    for (;;) {
      const tail = Atomics.load(words, this.#tail)
      if ((tail & CLOSED_BIT) !== 0) return CLOSED
      if (Atomics.load(words, this.#stampOf(tail)) === tail) {
        this.count = this.#run(tail, 0, max)
        return tail
      }
      // The tail may have moved since it was loaded, and the stamp with it.
      if (Atomics.load(words, this.#tail) !== tail) continue
      const depth = ((tail - Atomics.load(words, this.#head)) | 0) >> 1
      return depth >= this.#capacity ? FULL : BUSY
    }
  }

  /**
   * Makes `count` positions that `findFree` has found the caller's. It then writes the slots,
   * calls `publish` and, after it has looked whom to wake, `finishEnqueue`.
   * @param chain what CELL.ENQUEUE_CHAIN is for
   * @returns `false` if another producer was faster
   */
  ownFree(position: number, count: number, chain: number): boolean {
    const words = this.#words
    words[this.#cell + CELL.ENQUEUE_BAND] = this.band
    words[this.#cell + CELL.ENQUEUE_POSITION] = position
    words[this.#cell + CELL.ENQUEUE_CHAIN] = chain
    words[this.#cell + CELL.ENQUEUE_COUNT] = count
    const next = (position + 2 * count) | 0
    if (Atomics.compareExchange(words, this.#tail, position, next) !== position) {
      this.finishEnqueue()
      return false
    }
    this.#noteDepth(next)
    return true
  }

  /**
   * Looks for up to `max` (at most MAX_BATCH) full positions that follow each other.
   * @returns the first one; how many is in `count`. Or EMPTY, BUSY or CLOSED.
   */
  findFull(max: number): number {
    const words = this.#words
    for (;;) {
      const head = Atomics.load(words, this.#head)
      if (Atomics.load(words, this.#stampOf(head)) === (head | 1)) {
        this.count = this.#run(head, 1, max)
        return head
      }
      if (Atomics.load(words, this.#head) !== head) continue
      const tail = Atomics.load(words, this.#tail)
      if ((tail & ~CLOSED_BIT) !== head) return BUSY
      return (tail & CLOSED_BIT) === 0 ? EMPTY : CLOSED
    }
  }

  /**
   * Makes `count` positions that `findFull` has found the caller's. It then reads the slots, calls
   * `release` and, after it has looked whom to wake, `finishDequeue`.
   * @returns `false` if another consumer was faster
   */
  ownFull(position: number, count: number): boolean {
    const words = this.#words
    words[this.#cell + CELL.DEQUEUE_BAND] = this.band
    words[this.#cell + CELL.DEQUEUE_POSITION] = position
    words[this.#cell + CELL.DEQUEUE_COUNT] = count
    const next = (position + 2 * count) | 0
    if (Atomics.compareExchange(words, this.#head, position, next) === position) return true
    this.finishDequeue()
    return false
  }

  /** How many positions from `first`, up to `max`, have a stamp of `2p + full`. The first one has. */
  #run(first: number, full: number, max: number): number {
    let count = 1
    while (count < max) {
      const position = (first + 2 * count) | 0
      if (Atomics.load(this.#words, this.#stampOf(position)) !== (position | full)) break
      count++
    }
    return count
  }

  /**
   * Makes `count` owned positions full. What was written into their slots before is visible (I2).
   *
   * The first one comes last and alone is an atomic store, which costs as much as all else that is done
   * for an item. It is enough: nobody looks at a later one who has not seen the first one full, or a
   * HEAD that was moved over it by somebody who had.
   */
  publish(first: number, count: number): void {
    for (let i = count - 1; i > 0; i--) {
      const position = (first + 2 * i) | 0
      this.#words[this.#stampOf(position)] = position | 1
    }
    Atomics.store(this.#words, this.#stampOf(first), first | 1)
  }

  /**
   * Makes `count` owned positions free for the next lap. What was in their slots is gone. In the
   * order of `publish`, for the same reason, with TAIL for HEAD.
   */
  release(first: number, count: number): void {
    const lap = 2 * this.#capacity
    for (let i = count - 1; i > 0; i--) {
      const position = (first + 2 * i) | 0
      this.#words[this.#stampOf(position)] = (position + lap) | 0
    }
    Atomics.store(this.#words, this.#stampOf(first), (first + lap) | 0)
  }

  /**
   * Withdraws the intent (I5), after everything was published. Plain is enough: on every machine the atomic
   * load of SLEEPERS that stands between keeps this store behind the stamps.
   */
  finishEnqueue(): void {
    this.#words[this.#cell + CELL.ENQUEUE_COUNT] = 0
  }

  /** Withdraws the intent, after everything was released. */
  finishDequeue(): void {
    this.#words[this.#cell + CELL.DEQUEUE_COUNT] = 0
  }

  /** Refuses producers from now on (I3). */
  close(): void {
    Atomics.or(this.#words, this.#tail, CLOSED_BIT)
  }

  get closed(): boolean {
    return (Atomics.load(this.#words, this.#tail) & CLOSED_BIT) !== 0
  }

  /** Closed, and every position is owned by a consumer. */
  get drained(): boolean {
    const head = Atomics.load(this.#words, this.#head)
    return Atomics.load(this.#words, this.#tail) === (head | CLOSED_BIT)
  }

  /** Whether a consumer that comes now finds a full slot. */
  get hasFull(): boolean {
    const head = Atomics.load(this.#words, this.#head)
    return Atomics.load(this.#words, this.#stampOf(head)) === (head | 1)
  }

  /** Whether a producer that comes now finds a free slot, or that the queue is closed. */
  get hasFreeOrIsClosed(): boolean {
    const tail = Atomics.load(this.#words, this.#tail)
    if ((tail & CLOSED_BIT) !== 0) return true
    return Atomics.load(this.#words, this.#stampOf(tail)) === tail
  }

  /** Whether the band holds `capacity` items (I4). */
  get isFull(): boolean {
    return this.depth >= this.#capacity
  }

  /** Positions put in and not taken. */
  get depth(): number {
    // In this order consumers may run past the tail that was read, and what was never there is not counted.
    const tail = Atomics.load(this.#words, this.#tail)
    return Math.max(0, ((tail - Atomics.load(this.#words, this.#head)) | 0) >> 1)
  }

  get highWater(): number {
    return Atomics.load(this.#words, this.#highWater)
  }

  /** Whether a producer owns a position and has not published it. */
  isUnpublished(position: number): boolean {
    const tail = Atomics.load(this.#words, this.#tail) & ~CLOSED_BIT
    if (((tail - position) | 0) <= 0) return false
    return Atomics.load(this.#words, this.#stampOf(position)) === position
  }

  /** Whether a consumer owns a position and has not released it. */
  isUnreleased(position: number): boolean {
    if (((Atomics.load(this.#words, this.#head) - position) | 0) <= 0) return false
    return Atomics.load(this.#words, this.#stampOf(position)) === (position | 1)
  }

  /** The slot of a position, in words. */
  slotOf(position: number): number {
    return this.#slots + ((position >>> 1) & this.#mask) * this.#slotWords
  }

  /** How many of `count` positions lie behind each other in memory before the ring starts over. */
  contiguous(first: number, count: number): number {
    return Math.min(count, this.#capacity - ((first >>> 1) & this.#mask))
  }

  /**
   * Raises HIGH_WATER if the ring is deeper than ever. HEAD is in a line that consumers write all the time, so it is
   * loaded only when an old value does not show already that there is nothing to raise.
   */
  #noteDepth(tail: number): void {
    const words = this.#words
    if ((tail - this.#oldHead) >>> 1 <= wordAt(words, this.#highWater)) return
    this.#oldHead = Atomics.load(words, this.#head)
    const depth = ((tail - this.#oldHead) | 0) >> 1
    let highest = Atomics.load(words, this.#highWater)
    while (depth > highest) {
      const seen = Atomics.compareExchange(words, this.#highWater, highest, depth)
      if (seen === highest) return
      highest = seen
    }
  }

  #stampOf(position: number): number {
    const slot = (position >>> 1) & this.#mask
    return this.#stamps + (((slot << this.#stampShift) & this.#mask) | (slot >>> this.#stampRotate))
  }
}
