import { Arena } from './arena.ts'
import { CELL, cellAt, wordAt } from './layout.ts'
import type { Layout } from './layout.ts'
import { Ring } from './ring.ts'
import { BLOCKS, ITEMS, SPACE, eventCountsOf } from './waiting.ts'
import type { EventCount, Need } from './waiting.ts'

/** A look for free blocks goes through all of them where there are too few. So many take about as long as a spin may. */
const BLOCKS_OF_A_SPIN = 25_000

/** What the parts of one participant share: its views of the queue's memory. */
export class Memory {
  /** Whether this participant wakes nobody for what it publishes. */
  #isCorked = false
  readonly words: Int32Array
  readonly bytes: Uint8Array<SharedArrayBuffer>
  readonly layout: Layout
  readonly participant: number
  /** The participant's own cell, in words. */
  readonly cell: number
  readonly rings: readonly Ring[]
  readonly arena: Arena
  readonly items: EventCount
  readonly blocks: EventCount
  /** By band. */
  readonly space: readonly EventCount[]
  /** To take something, or to find out that nothing will come. */
  readonly itemsNeed: Need
  /** To put something into a band, or to find out that it is closed. By band. */
  readonly spaceNeeds: readonly Need[]

  constructor(
    words: Int32Array,
    bytes: Uint8Array<SharedArrayBuffer>,
    layout: Layout,
    participant: number,
  ) {
    this.words = words
    this.bytes = bytes
    this.layout = layout
    this.participant = participant
    this.cell = cellAt(layout, participant)
    const events = eventCountsOf(words, layout, participant)
    this.items = events[ITEMS] as EventCount
    this.blocks = events[BLOCKS] as EventCount
    this.space = events.slice(SPACE)
    this.arena = new Arena(words, bytes, layout, participant, this.blocks)
    this.rings = this.space.map((_, band) => new Ring(words, layout, band, participant))
    this.itemsNeed = { events: this.items, ready: () => this.hasFull || this.drained }
    this.spaceNeeds = this.rings.map((ring) => ({
      events: this.space[ring.band] as EventCount,
      ready: () => ring.hasFreeOrIsClosed,
    }))
  }

  /** To have so many blocks, or to find out that the queue is closed. */
  blocksNeed(count: number): Need {
    return {
      events: this.blocks,
      maxLooks: Math.ceil(BLOCKS_OF_A_SPIN / this.layout.blockCount),
      ready: () => this.closed || this.arena.hasFree(count),
    }
  }

  get hasFull(): boolean {
    for (const ring of this.rings) if (ring.hasFull) return true
    return false
  }

  get drained(): boolean {
    for (const ring of this.rings) if (!ring.drained) return false
    return true
  }

  /** The first band is closed last: when it is, all are. */
  get closed(): boolean {
    return this.ring(0).closed
  }

  close(): void {
    for (const ring of this.rings.toReversed()) ring.close()
    this.wakeEverybody()
  }

  wakeEverybody(): void {
    this.items.wakeAll()
    this.blocks.wakeAll()
    for (const events of this.space) events.wakeAll()
  }

  /** Whether this participant owns a slot to put something in, or is about to. */
  get isPutting(): boolean {
    return wordAt(this.words, this.cell + CELL.ENQUEUE_COUNT) > 0
  }

  /** Whether it owns one to take something out, or is about to. */
  get isTaking(): boolean {
    return wordAt(this.words, this.cell + CELL.DEQUEUE_COUNT) > 0
  }

  ring(band: number): Ring {
    return this.rings[band] as Ring
  }

  /** After something was published: wakes one consumer (I6), or leaves that to `uncork`. */
  afterPublish(): void {
    if (!this.#isCorked) this.items.wakeOne()
  }

  cork(): void {
    this.#isCorked = true
  }

  /** Wakes one consumer if there is something to take. Who takes it wakes the next (I6). */
  uncork(): void {
    if (!this.#isCorked) return
    this.#isCorked = false
    if (this.hasFull) this.items.wakeOne()
  }

  /** After positions of a band were owned by this producer: is the next one free as well (I6)? */
  afterOwnFree(ring: Ring): void {
    const events = this.space[ring.band] as EventCount
    if (events.hasSleepers && ring.hasFreeOrIsClosed) events.wakeOne()
  }

  /** After positions were released: wakes a producer, and a consumer if there is more to take (I6). */
  afterRelease(ring: Ring): void {
    ;(this.space[ring.band] as EventCount).wakeOne()
    if (!this.items.hasSleepers) return
    if (this.hasFull) this.items.wakeOne()
    else if (this.drained) this.items.wakeAll()
  }

  /** Withdraws what a `take` of before has in hand: its thread has come back for more. */
  clearHand(): void {
    this.words[this.cell + CELL.IN_HAND] = 0
  }
}
