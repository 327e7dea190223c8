// Settling what a dead participant has left. See I5 in layout.ts for why this finds its positions and no others.
import { SlotItem } from './item.ts'
import { CELL, HEADER, SLOT, TOMBSTONE, cellAt, wordAt, writeTombstone } from './layout.ts'
import type { Memory } from './memory.ts'
import { addToTotal, leave } from './participants.ts'
import type { Ring } from './ring.ts'
import type { ReapReport, WorkItem } from './work-queue.ts'

/** What a participant's cell says that it owns, or was about to own. */
interface Intent {
  band: number
  position: number
  count: number
}

/** Cleans up after dead participants, for a living one. */
export class Reaper {
  readonly #memory: Memory
  readonly #words: Int32Array

  constructor(memory: Memory) {
    this.#memory = memory
    this.#words = memory.words
  }

  /**
   * Starts the report of a participant, dead from now on. One that somebody has begun to reap is shared with whoever is
   * at it still: each thing is settled by one, and is in that one's report.
   * @param ofThread what thread it has to be of; its number may be another's by now
   * @returns `undefined`: it is not, or no more
   */
  begin(participant: number, ofThread?: number): ReapReport | undefined {
    const owner = cellAt(this.#memory.layout, participant) + CELL.OWNER
    const value = Atomics.load(this.#words, owner)
    if (value === 0) return undefined
    if (ofThread !== undefined && Math.abs(value) !== ofThread + 1) return undefined
    if (value > 0) Atomics.compareExchange(this.#words, owner, value, -value)
    const threadId = Math.abs(value) - 1
    return { participant, threadId, returned: [], inHand: [], abandoned: 0 }
  }

  /**
   * Settles what can be settled now.
   * @returns whether that was all
   */
  step(report: ReapReport): boolean {
    if (!this.#lock(report.participant)) return false
    try {
      return this.#settle(report)
    } finally {
      Atomics.store(this.#words, HEADER.REAPING, 0)
    }
  }

  #settle(report: ReapReport): boolean {
    const { layout, arena } = this.#memory
    const { participant } = report
    const cell = cellAt(layout, participant)
    // Another thread has done it meanwhile, and the next one that had the number may be dead as well.
    if (Atomics.load(this.#words, cell + CELL.OWNER) !== -(report.threadId + 1)) return true
    const settledPuts = this.#settlePuts(cell, report)
    const settledTakes = this.#settleTakes(cell, report)
    // What it had claimed may have held others up.
    this.#memory.wakeEverybody()
    if (!settledPuts || !settledTakes) return false

    for (let i = 0; i < wordAt(this.#words, cell + CELL.IN_HAND); i++) {
      report.inHand.push(wordAt(this.#words, cell + CELL.TAGS + i) >>> 0)
    }
    arena.freeAllOf(participant)
    for (const events of [this.#memory.items, this.#memory.blocks, ...this.#memory.space]) {
      events.forget(participant)
    }
    leave(this.#words, layout, participant)
    // A wake-up can have died with it.
    this.#memory.wakeEverybody()
    return true
  }

  /** Makes tombstones of what it owned and has not published. @returns whether all is known */
  #settlePuts(cell: number, report: ReapReport): boolean {
    const intent = this.#intent(cell, CELL.ENQUEUE_COUNT)
    if (intent.count === 0) return true
    const ring = this.#memory.ring(intent.band)
    for (let i = 0; i < intent.count; i++) {
      const position = (intent.position + 2 * i) | 0
      if (!ring.isUnpublished(position)) continue
      if (this.#isNamedByLiving(CELL.ENQUEUE_COUNT, ring.band, position)) return false
      // Published in this moment by a living one whose cell has just moved on?
      if (!ring.isUnpublished(position)) continue
      this.#forDeadNaming(CELL.ENQUEUE_COUNT, ring.band, position, (dead, participant) => {
        const chain = wordAt(this.#words, dead + CELL.ENQUEUE_CHAIN)
        if (chain !== 0) this.#memory.arena.recall(chain - 1, participant)
      })
      writeTombstone(this.#words, ring.slotOf(position))
      ring.publish(position, 1)
      report.abandoned++
    }
    return true
  }

  /** Takes out what it owned and has not released. @returns whether all is known */
  #settleTakes(cell: number, report: ReapReport): boolean {
    const intent = this.#intent(cell, CELL.DEQUEUE_COUNT)
    if (intent.count === 0) return true
    const ring = this.#memory.ring(intent.band)
    for (let i = 0; i < intent.count; i++) {
      const position = (intent.position + 2 * i) | 0
      if (!ring.isUnreleased(position)) continue
      if (this.#isNamedByLiving(CELL.DEQUEUE_COUNT, ring.band, position)) return false
      if (!ring.isUnreleased(position)) continue
      const chain = wordAt(this.#words, ring.slotOf(position) + SLOT.CHAIN)
      const item = this.#takeOut(ring, position, report.participant)
      // Up to here whoever comes after a reaper that has died finds all as it was, and in what follows nothing twice.
      ring.release(position, 1)
      if (item !== undefined) {
        report.returned.push(item)
        addToTotal(this.#words, this.#memory.cell + CELL.DEQUEUED, 1)
        this.#forgetInHand(ring.band, position, item.tag)
      }
      if (chain > 0) {
        // To free what another one holds would leave blocks that both have to give back, were this one to die meanwhile.
        this.#memory.arena.takeOver(chain - 1)
        this.#memory.arena.free(chain - 1)
      }
      this.#memory.afterRelease(ring)
    }
    return true
  }

  /**
   * What was taken out was noted as in hand before the release that never came. By its tag: where a reaper has died between
   * a release and this, the tag of an item that is gone is still there, and this must not take that for its own.
   */
  #forgetInHand(band: number, position: number, tag: number): void {
    this.#forDeadNaming(CELL.DEQUEUE_COUNT, band, position, (dead) => {
      const first = dead + CELL.TAGS
      const last = wordAt(this.#words, dead + CELL.IN_HAND) - 1
      for (let i = 0; i <= last; i++) {
        if (wordAt(this.#words, first + i) >>> 0 !== tag) continue
        this.#words[first + i] = wordAt(this.#words, first + last)
        this.#words[dead + CELL.IN_HAND] = last
        return
      }
    })
  }

  #takeOut(ring: Ring, position: number, participant: number): WorkItem | undefined {
    const { words, bytes, arena } = this.#memory
    const slot = ring.slotOf(position)
    const chain = wordAt(words, slot + SLOT.CHAIN)
    if (chain === TOMBSTONE) return undefined
    const length = wordAt(words, slot + SLOT.LENGTH)
    const tag = wordAt(words, slot + SLOT.TAG) >>> 0
    if (chain > 0) {
      // The blocks become the dead one's, not this one's: were this one to die while it copies, whoever reaps it must not
      // give back what the slot still names. A copy, because the report may come after this participant has detached.
      arena.takeOver(chain - 1, participant)
      return new SlotItem(arena.copyOf(chain - 1, length >>> 0), tag, ring.band)
    }
    const copy = new Uint8Array(length)
    copy.set(bytes.subarray((slot + SLOT.BYTES) * 4, (slot + SLOT.BYTES) * 4 + length))
    return new SlotItem(copy, tag, ring.band)
  }

  #intent(cell: number, countAt: number): Intent {
    return {
      count: wordAt(this.#words, cell + countAt),
      band: wordAt(this.#words, cell + countAt + BAND_FROM_COUNT),
      position: wordAt(this.#words, cell + countAt + POSITION_FROM_COUNT),
    }
  }

  #isNamedByLiving(countAt: number, band: number, position: number): boolean {
    const { layout } = this.#memory
    for (let participant = 0; participant < layout.maxParticipants; participant++) {
      const cell = cellAt(layout, participant)
      if (Atomics.load(this.#words, cell + CELL.OWNER) <= 0) continue
      if (names(this.#intent(cell, countAt), band, position)) return true
    }
    return false
  }

  /** All dead participants that may have owned a position; one of them has. */
  #forDeadNaming(
    countAt: number,
    band: number,
    position: number,
    visit: (cell: number, participant: number) => void,
  ): void {
    const { layout } = this.#memory
    for (let participant = 0; participant < layout.maxParticipants; participant++) {
      const cell = cellAt(layout, participant)
      if (Atomics.load(this.#words, cell + CELL.OWNER) >= 0) continue
      if (names(this.#intent(cell, countAt), band, position)) visit(cell, participant)
    }
  }

  /** One thread reaps at a time, for a moment; if it has died in that moment, it makes way. */
  #lock(participant: number): boolean {
    const me = this.#memory.participant + 1
    const holder = Atomics.compareExchange(this.#words, HEADER.REAPING, 0, me)
    if (holder === 0) return true
    const owner = cellAt(this.#memory.layout, holder - 1) + CELL.OWNER
    if (holder - 1 !== participant && Atomics.load(this.#words, owner) > 0) return false
    return Atomics.compareExchange(this.#words, HEADER.REAPING, holder, me) === holder
  }
}

const BAND_FROM_COUNT = CELL.ENQUEUE_BAND - CELL.ENQUEUE_COUNT
const POSITION_FROM_COUNT = CELL.ENQUEUE_POSITION - CELL.ENQUEUE_COUNT

function names(intent: Intent, band: number, position: number): boolean {
  return intent.band === band && (position - intent.position) >>> 1 < intent.count
}
