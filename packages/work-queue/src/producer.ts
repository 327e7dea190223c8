import { microseconds } from './clock.ts'
import { isDetached, refuseDetached } from './detached-bytes.ts'
import type { ArenaDraft } from './draft.ts'
import { CELL, MAX_BATCH, SLOT, writeTombstone } from './layout.ts'
import type { Memory } from './memory.ts'
import { addToTotal } from './participants.ts'
import { isOutcome } from './ring.ts'
import type { Ring } from './ring.ts'

/** In place of FULL, BUSY and CLOSED: it is done. */
export const DONE = 0

/** Puts items in for one participant. */
export class Producer {
  readonly #memory: Memory
  readonly #words: Int32Array
  readonly #slotBytes: number
  /** A doubled position is timed when it has none of these bits. */
  readonly #notTimed: number

  constructor(memory: Memory) {
    this.#memory = memory
    this.#words = memory.words
    this.#slotBytes = (memory.layout.slotWords - SLOT.BYTES) * 4
    this.#notTimed = (memory.layout.sampleEvery - 1) * 2
  }

  /** Puts in an item that fits a slot. @returns DONE, FULL, BUSY or CLOSED */
  put(bytes: Uint8Array, band: number, tag: number): number {
    const ring = this.#memory.ring(band)
    // The caller has seen to it, but a call that waits lets others detach or resize the bytes meanwhile. To throw once a
    // slot is owned would leave it unfinished, and everybody waiting for it.
    if (!this.fitsSlot(bytes))
      throw new RangeError('Cannot enqueue: the bytes have grown meanwhile')
    for (;;) {
      const position = ring.findFree(1)
      if (isOutcome(position)) return position
      const time = this.#timeOf(position, 1)
      if (!ring.ownFree(position, 1, 0)) continue
      const slot = ring.slotOf(position)
      this.#memory.bytes.set(bytes, (slot + SLOT.BYTES) * 4)
      this.#describe(slot, bytes.length, tag, time, 0)
      this.#publish(ring, position, 1)
      return DONE
    }
  }

  /**
   * Puts in items that fit slots, from `sources[from]` on, as many as have room or up to the first that
   * does not fit a slot.
   * @returns how many, or FULL, BUSY or CLOSED as a negative number
   */
  putMany(sources: readonly Uint8Array[], from: number, band: number, tag: number): number {
    const ring = this.#memory.ring(band)
    const fitting = this.#fitting(sources, from)
    for (;;) {
      const first = ring.findFree(fitting)
      if (isOutcome(first)) return -first
      const { count } = ring
      const time = this.#timeOf(first, count)
      if (!ring.ownFree(first, count, 0)) continue
      for (let i = 0; i < count; i++) {
        const bytes = sources[from + i] as Uint8Array
        const position = (first + 2 * i) | 0
        const slot = ring.slotOf(position)
        this.#memory.bytes.set(bytes, (slot + SLOT.BYTES) * 4)
        const timed = (position & this.#notTimed) === 0
        this.#describe(slot, bytes.length, tag, timed ? time : 0, 0)
      }
      this.#publish(ring, first, count)
      return count
    }
  }

  /** Puts in what a draft holds. @returns DONE, FULL, BUSY or CLOSED */
  putDraft(draft: ArenaDraft, band: number, tag: number): number {
    const ring = this.#memory.ring(band)
    draft.trim()
    const { first } = draft
    const chain = first === undefined ? 0 : first + 1
    for (;;) {
      const position = ring.findFree(1)
      if (isOutcome(position)) return position
      const time = this.#timeOf(position, 1)
      if (!ring.ownFree(position, 1, chain)) continue
      this.#describe(ring.slotOf(position), draft.byteLength, tag, time, chain)
      if (first !== undefined) this.#memory.arena.handOver(first)
      this.#publish(ring, position, 1)
      draft.spend()
      return DONE
    }
  }

  /** Owns a slot for the caller to write. @returns its position, or FULL, BUSY or CLOSED */
  claim(band: number): number {
    const ring = this.#memory.ring(band)
    for (;;) {
      const position = ring.findFree(1)
      if (isOutcome(position)) return position
      if (!ring.ownFree(position, 1, 0)) continue
      // Not only when it is published: until then the caller may take as long as it likes.
      this.#memory.afterOwnFree(ring)
      return position
    }
  }

  /** Publishes a slot that `claim` gave. */
  publishClaim(ring: Ring, position: number, byteLength: number, tag: number): void {
    this.#describe(ring.slotOf(position), byteLength, tag, this.#timeOf(position, 1), 0)
    this.#publish(ring, position, 1)
  }

  /** Publishes a slot that `claim` gave as one without an item. */
  abandonClaim(ring: Ring, position: number): void {
    writeTombstone(this.#words, ring.slotOf(position))
    ring.publish(position, 1)
    this.#memory.afterPublish()
    this.#memory.afterOwnFree(ring)
    ring.finishEnqueue()
  }

  #publish(ring: Ring, first: number, count: number): void {
    ring.publish(first, count)
    this.#memory.afterPublish()
    this.#memory.afterOwnFree(ring)
    ring.finishEnqueue()
    addToTotal(this.#words, this.#memory.cell + CELL.ENQUEUED, count)
  }

  #describe(slot: number, length: number, tag: number, time: number, chain: number): void {
    const words = this.#words
    words[slot + SLOT.LENGTH] = length
    words[slot + SLOT.TAG] = tag
    words[slot + SLOT.TIME] = time
    words[slot + SLOT.CHAIN] = chain
  }

  /** The time, if one of these positions is to be timed. Read before they are owned: it allocates. */
  #timeOf(first: number, count: number): number {
    const past = ((first - 2) & this.#notTimed) + 2 * count
    return past > this.#notTimed ? microseconds() : 0
  }

  /** How many sources from `from` on fit slots; at most a batch, at least one, which the caller has seen to. */
  #fitting(sources: readonly Uint8Array[], from: number): number {
    const end = Math.min(sources.length, from + MAX_BATCH)
    let to = from + 1
    while (to < end && this.#mayFollow(sources[to])) to++
    return to - from
  }

  /** Whether it is bytes that travel in a slot. @throws {TypeError} for bytes that have been transferred */
  fitsSlot(source: unknown): source is Uint8Array {
    if (!this.#isShort(source)) return false
    refuseDetached(source)
    return true
  }

  #mayFollow(source: unknown): boolean {
    return this.#isShort(source) && !isDetached(source)
  }

  #isShort(source: unknown): source is Uint8Array {
    return source instanceof Uint8Array && source.length <= this.#slotBytes
  }
}
