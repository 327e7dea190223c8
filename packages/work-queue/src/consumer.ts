import { microseconds } from './clock.ts'
import { bucketOf } from './histogram.ts'
import { Batch, ChainItem, SlotItem } from './item.ts'
import { BAND, CELL, MAX_BATCH, SLOT, TOMBSTONE, bandAt, wordAt } from './layout.ts'
import type { Memory } from './memory.ts'
import { addToTotal } from './participants.ts'
import { BUSY, CLOSED, EMPTY, isOutcome } from './ring.ts'
import type { Ring } from './ring.ts'
import { SLAB_BYTES, Slab } from './slab.ts'

/** Slots up to this size are copied word by word, which needs no view of the slot. */
const COPY_BY_WORDS = 512

/** Takes items for one participant. Nothing between owning and releasing a slot allocates. */
export class Consumer {
  /** Why the last `take…` gave nothing: EMPTY, BUSY or CLOSED. */
  outcome: number = EMPTY

  readonly #memory: Memory
  readonly #words: Int32Array
  readonly #slotBytes: number
  readonly #stride: number
  readonly #slab: Slab
  readonly #detached: () => boolean
  /** Items taken since a lower band was looked at first. */
  #served = 0
  /** Whether the slots that `#takeOver` has seen have nothing but bytes. */
  #areAllInSlots = true
  /** The lower band that is looked at first next time. */
  #aged: number

  constructor(memory: Memory, detached: () => boolean, slab: Slab = new Slab()) {
    this.#memory = memory
    this.#slab = slab
    this.#words = memory.words
    this.#stride = memory.layout.slotWords * 4
    this.#slotBytes = this.#stride - SLOT.BYTES * 4
    this.#detached = detached
    this.#aged = memory.layout.bands - 1
  }

  /** The next item, or `undefined` and `outcome`. */
  take(): SlotItem | ChainItem | undefined {
    const { rings } = this.#memory
    if (rings.length === 1) return this.#takeFrom(this.#memory.ring(0))
    const aged = this.#agedRing()
    const first = aged && this.#takeFrom(aged)
    if (first !== undefined) return first
    let outcome = CLOSED
    for (const ring of rings) {
      const item = this.#takeFrom(ring)
      if (item !== undefined) {
        this.#served++
        return item
      }
      outcome = worse(outcome, this.outcome)
    }
    this.outcome = outcome
    return undefined
  }

  /** Up to `max` items of one band, or `undefined` and `outcome`. */
  takeMany(max: number): Batch | undefined {
    const { rings } = this.#memory
    if (rings.length === 1) return this.#takeManyFrom(this.#memory.ring(0), max)
    // As many of a lower band as were due while the higher ones were served.
    const due = Math.max(1, Math.floor(this.#served / this.#memory.layout.ageEvery))
    const aged = this.#agedRing()
    const first = aged && this.#takeManyFrom(aged, Math.min(max, due))
    if (first !== undefined) return first
    let outcome = CLOSED
    for (const ring of rings) {
      const batch = this.#takeManyFrom(ring, max)
      if (batch !== undefined) {
        this.#served += batch.length
        return batch
      }
      outcome = worse(outcome, this.outcome)
    }
    this.outcome = outcome
    return undefined
  }

  /**
   * The lower band whose turn it is, when `ageEvery` items were served. Each lower band is the first
   * to be asked once in `bands - 1` turns, so an item with d before it in its band is taken, by one
   * consumer, within ageEvery × (bands - 1) × (d + 1) items.
   *
   * Batches are not cut short for a turn that comes meanwhile. From one turn to the next there are up to
   * ageEvery - 2 items and then one more batch of `max`, and the turn itself takes what was due by then: with batches
   * it is fewer than ageEvery + max + max / ageEvery items in place of ageEvery.
   */
  #agedRing(): Ring | undefined {
    const { layout, rings } = this.#memory
    if (this.#served < layout.ageEvery - 1) return undefined
    this.#served = 0
    const lower = rings.length - 1
    const start = this.#aged
    this.#aged = start === 1 ? lower : start - 1
    for (let i = 0; i < lower; i++) {
      // From `start` downwards, and from the lowest again.
      const ring = this.#memory.ring(((start - 1 - i + lower) % lower) + 1)
      if (ring.hasFull) return ring
    }
    return undefined
  }

  #takeFrom(ring: Ring): SlotItem | ChainItem | undefined {
    const words = this.#words
    const slab = this.#slab
    for (;;) {
      const position = ring.findFull(1)
      if (isOutcome(position)) {
        this.outcome = position
        return undefined
      }
      slab.ensure(this.#stride)
      const slot = ring.slotOf(position)
      const view = this.#stride > COPY_BY_WORDS ? this.#bytesOfSlot(slot) : undefined
      if (!ring.ownFull(position, 1)) continue

      const length = wordAt(words, slot + SLOT.LENGTH)
      const tag = wordAt(words, slot + SLOT.TAG)
      const time = wordAt(words, slot + SLOT.TIME)
      const chain = wordAt(words, slot + SLOT.CHAIN)
      let at = 0
      if (chain > 0) {
        this.#memory.arena.takeOver(chain - 1)
      } else if (chain === 0) {
        at = slab.take(length)
        if (view === undefined) {
          const from = slot + SLOT.BYTES
          const to = at >>> 2
          const count = (length + 3) >>> 2
          for (let i = 0; i < count; i++) slab.words[to + i] = wordAt(words, from + i)
        } else {
          slab.bytes.set(view, at)
        }
      }
      if (chain !== TOMBSTONE) this.#noteInHand(0, tag, 1)
      ring.release(position, 1)
      this.#memory.afterRelease(ring)
      ring.finishDequeue()

      if (chain === TOMBSTONE) continue
      if (time !== 0) this.#noteWait(ring, time)
      addToTotal(words, this.#memory.cell + CELL.DEQUEUED, 1)
      if (chain > 0) return this.#chainItem(chain - 1, length, tag, ring.band)
      return new SlotItem(new Uint8Array(slab.bytes.buffer, at, length), tag >>> 0, ring.band)
    }
  }

  #takeManyFrom(ring: Ring, max: number): Batch | undefined {
    const slab = this.#slab
    // A batch of large slots is not larger than a slab.
    const most = Math.min(max, MAX_BATCH, Math.max(1, Math.floor(SLAB_BYTES / this.#stride)))
    for (;;) {
      const first = ring.findFull(most)
      if (isOutcome(first)) {
        this.outcome = first
        return undefined
      }
      const { count } = ring
      const bytes = count * this.#stride
      slab.ensure(bytes)
      const straight = ring.contiguous(first, count)
      const before = this.#bytesOfSlots(ring.slotOf(first), straight)
      const after =
        straight === count
          ? undefined
          : this.#bytesOfSlots(ring.slotOf((first + 2 * straight) | 0), count - straight)
      if (!ring.ownFull(first, count)) continue

      const at = slab.take(bytes)
      slab.bytes.set(before, at)
      if (after !== undefined) slab.bytes.set(after, at + before.length)
      const inHand = this.#takeOver(at >>> 2, count)
      ring.release(first, count)
      this.#memory.afterRelease(ring)
      ring.finishDequeue()

      addToTotal(this.#words, this.#memory.cell + CELL.DEQUEUED, inHand)
      if (inHand === 0) continue
      return this.#readSlots(ring, first, at >>> 2, count)
    }
  }

  /** Before the release: what was copied becomes this participant's. @returns the number of items */
  #takeOver(at: number, count: number): number {
    const { words } = this.#slab
    const { slotWords } = this.#memory.layout
    const tags = this.#memory.cell + CELL.TAGS
    let inHand = 0
    let chains = 0
    for (let i = 0; i < count; i++) {
      const slot = at + i * slotWords
      const chain = wordAt(words, slot + SLOT.CHAIN)
      chains |= chain
      if (chain === TOMBSTONE) continue
      if (chain > 0) this.#memory.arena.takeOver(chain - 1)
      this.#words[tags + inHand] = wordAt(words, slot + SLOT.TAG)
      inHand++
    }
    this.#words[this.#memory.cell + CELL.IN_HAND] = inHand
    this.#areAllInSlots = chains === 0
    return inHand
  }

  /** After the release: finds the items in the copied slots. */
  #readSlots(ring: Ring, first: number, at: number, count: number): Batch {
    const { words } = this.#slab
    const { slotWords, sampleEvery } = this.#memory.layout
    // Only these positions can have a time, see Producer.
    for (let i = -(first >>> 1) & (sampleEvery - 1); i < count; i += sampleEvery) {
      const time = wordAt(words, at + i * slotWords + SLOT.TIME)
      if (time !== 0) this.#noteWait(ring, time)
    }
    const slots = { words, at, slotWords, count, band: ring.band }
    if (this.#areAllInSlots) return new Batch(slots, undefined, undefined)

    const slotOfItem: number[] = []
    const chained = new Map<number, ChainItem>()
    for (let i = 0; i < count; i++) {
      const slot = at + i * slotWords
      const chain = wordAt(words, slot + SLOT.CHAIN)
      if (chain === TOMBSTONE) continue
      slotOfItem.push(i)
      if (chain === 0) continue
      const length = wordAt(words, slot + SLOT.LENGTH)
      const tag = wordAt(words, slot + SLOT.TAG)
      chained.set(i, this.#chainItem(chain - 1, length, tag, ring.band))
    }
    return new Batch(slots, slotOfItem, chained)
  }

  #chainItem(first: number, length: number, tag: number, band: number): ChainItem {
    return new ChainItem(this.#memory.arena, first, length, tag >>> 0, band, this.#detached)
  }

  #noteInHand(index: number, tag: number, count: number): void {
    this.#words[this.#memory.cell + CELL.TAGS + index] = tag
    this.#words[this.#memory.cell + CELL.IN_HAND] = count
  }

  #noteWait(ring: Ring, since: number): void {
    const waited = (microseconds() - since) >>> 0
    const histogram = bandAt(this.#memory.layout, ring.band) + BAND.WAITS
    Atomics.add(this.#words, histogram + bucketOf(waited), 1)
  }

  #bytesOfSlot(slot: number): Uint8Array {
    const from = (slot + SLOT.BYTES) * 4
    return this.#memory.bytes.subarray(from, from + this.#slotBytes)
  }

  #bytesOfSlots(slot: number, count: number): Uint8Array {
    return this.#memory.bytes.subarray(slot * 4, slot * 4 + count * this.#stride)
  }
}

/** Of what two bands gave: something may come soon, may come, or will never come. */
function worse(a: number, b: number): number {
  if (a === BUSY || b === BUSY) return BUSY
  return a === EMPTY || b === EMPTY ? EMPTY : CLOSED
}
