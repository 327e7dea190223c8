// Programs for the explorer: threads that put and take items of a tiny queue with the package's own code.
import { Blocking } from '../../src/block.ts'
import { Consumer } from '../../src/consumer.ts'
import {
  BAND,
  CELL,
  CLOSED_BIT,
  SLOT,
  TOMBSTONE,
  bandAt,
  cellAt,
  format,
  layoutOf,
  stampIndex,
  stampsOf,
  wordAt,
} from '../../src/layout.ts'
import type { Layout } from '../../src/layout.ts'
import { Memory } from '../../src/memory.ts'
import { DONE, Producer } from '../../src/producer.ts'
import { Reaper } from '../../src/reap.ts'
import { CLOSED, isOutcome } from '../../src/ring.ts'
import { Slab } from '../../src/slab.ts'
import type { Need } from '../../src/waiting.ts'
import { AGAIN, END } from './explorer.ts'
import type { Context, End, Operation, Use } from './explorer.ts'

export interface Setup {
  capacity: number
  bands?: number
  /** How many threads take part. */
  participants: number
  /** Where positions start. */
  firstPosition?: number
  /** Whether threads wait. If none does, nobody needs to look for sleepers. Default: true. */
  waiting?: boolean
}

export interface Queue {
  layout: Layout
  memory: Int32Array
  /** Stamps, which batches write by plain stores. */
  isStamp: (index: number) => boolean
  /** For programs in which somebody dies: what a reaper looks at as well. */
  isVisible: (index: number) => boolean
  usedFor: (index: number) => Use | undefined
}

export function makeQueue({
  capacity,
  bands = 1,
  participants,
  firstPosition = 5,
  waiting = true,
}: Setup): Queue {
  const layout = layoutOf({
    bands,
    capacity,
    slotWords: 16,
    ageEvery: 2,
    sampleEvery: 2 ** 20,
    maxParticipants: participants,
    blockBytes: 64,
    blockCount: 0,
  })
  const memory = new Int32Array(layout.blocks)
  format(memory, layout, firstPosition)
  // The mark that is only there for `stats` would double the states.
  for (let band = 0; band < bands; band++) memory[bandAt(layout, band) + BAND.HIGH_WATER] = 2 ** 24
  const visible = new Set<number>()
  for (let participant = 0; participant < participants; participant++) {
    const cell = cellAt(layout, participant)
    memory[cell + CELL.OWNER] = participant + 1
    for (const word of [CELL.ENQUEUE_COUNT, CELL.DEQUEUE_COUNT, CELL.IN_HAND])
      visible.add(cell + word)
  }
  const usedFor = (index: number): Use | undefined => {
    const at = index - layout.eventCounts
    if (at < 0 || index >= layout.bandsAt) return undefined
    if (!waiting) return 'nothing'
    // SEQUENCE, or SLEEPERS. Nobody spins here.
    return at % layout.eventCountWords === 0 ? 'changed or not' : 'zero or not'
  }
  const isStamp = (index: number): boolean =>
    index >= stampsOf(layout, 0) && index < stampsOf(layout, 0) + capacity
  return {
    layout,
    memory,
    isStamp,
    isVisible: (index) => visible.has(index) || isStamp(index),
    usedFor,
  }
}

/** Puts one item in, waiting. Its tag is what it is known by. @returns the tag, or 'closed' */
export function put({ layout }: Queue, participant: number, tag: number, band = 0): Operation {
  return (context) => {
    const memory = memoryOf(context, layout, participant)
    const producer = new Producer(memory)
    let outcome = DONE
    const done = block(() => {
      outcome = producer.put(nothing, band, tag)
      return outcome === DONE || outcome === CLOSED ? undefined : memory.spaceNeeds[band]
    })
    if (!done) return AGAIN
    return outcome === CLOSED ? 'closed' : tag
  }
}

/** Claims a slot, waiting, and does not publish it. @returns 'holds a claim' */
export function claimAndHold({ layout }: Queue, participant: number): Operation {
  return (context) => {
    const memory = memoryOf(context, layout, participant)
    const producer = new Producer(memory)
    const done = block(() => (isOutcome(producer.claim(0)) ? memory.spaceNeeds[0] : undefined))
    return done ? 'holds a claim' : AGAIN
  }
}

/** Puts one item in if there is room. @returns the tag, 'closed', or 'not now' */
export function tryPut({ layout }: Queue, participant: number, tag: number, band = 0): Operation {
  return (context) => {
    const outcome = new Producer(memoryOf(context, layout, participant)).put(nothing, band, tag)
    if (outcome === DONE) return tag
    return outcome === CLOSED ? 'closed' : 'not now'
  }
}

/** Takes one item if there is one. @returns its tag, or 'none'; END when closed and drained */
export function tryTake({ layout }: Queue, participant: number): Operation {
  return (context) => {
    const memory = memoryOf(context, layout, participant)
    const consumer = new Consumer(memory, () => false, freshSlab())
    memory.clearHand()
    const item = consumer.take()
    if (item !== undefined) return item.tag
    return consumer.outcome === CLOSED ? END : 'none'
  }
}

/** Puts several items with the same tag in, as many as have room. @returns their tags, or 'closed' */
export function tryPutMany(
  { layout }: Queue,
  participant: number,
  tag: number,
  count: number,
): Operation {
  return (context) => {
    const sources = Array.from({ length: count }, () => nothing)
    const producer = new Producer(memoryOf(context, layout, participant))
    const result = producer.putMany(sources, 0, 0, tag)
    if (-result === CLOSED) return 'closed'
    return Array.from({ length: Math.max(0, result) }, () => tag)
  }
}

/** Takes one item, waiting. @returns its tag; END when the queue is closed and drained */
export function take({ layout }: Queue, participant: number): Operation {
  return (context) => {
    const memory = memoryOf(context, layout, participant)
    const consumer = new Consumer(memory, () => false, freshSlab())
    memory.clearHand()
    let tag: number | undefined
    const done = block(() => {
      tag = consumer.take()?.tag
      return tag !== undefined || consumer.outcome === CLOSED ? undefined : memory.itemsNeed
    })
    return done ? (tag ?? END) : AGAIN
  }
}

/** Takes all that is ready. @returns their tags; END when closed and drained */
export function tryTakeMany({ layout }: Queue, participant: number): Operation {
  return (context) => {
    const memory = memoryOf(context, layout, participant)
    const consumer = new Consumer(memory, () => false, freshSlab())
    memory.clearHand()
    const batch = consumer.takeMany(256)
    if (batch !== undefined) return Array.from({ length: batch.length }, (_, i) => batch.tag(i))
    return consumer.outcome === CLOSED ? END : []
  }
}

/** Takes one item unless the time is over, which the explorer decides. @returns its tag or 'late' */
export function takeInTime({ layout }: Queue, participant: number): Operation {
  return (context) => {
    const memory = memoryOf(context, layout, participant)
    const consumer = new Consumer(memory, () => false, freshSlab())
    memory.clearHand()
    for (;;) {
      const tag = consumer.take()?.tag
      if (tag !== undefined) return tag
      if (consumer.outcome === CLOSED) return END
      const sequence = memory.items.announce()
      let result: string = 'ok'
      if (!memory.itemsNeed.ready()) {
        result = Atomics.wait(context.words, layout.eventCounts, sequence, 1)
      }
      memory.items.leave()
      // As Blocking.until does, which looks at the clock instead.
      if (result === 'timed-out') return consumer.take()?.tag ?? 'late'
    }
  }
}

export function close({ layout }: Queue, participant: number): Operation {
  return (context) => {
    memoryOf(context, layout, participant).close()
    return 'closed it'
  }
}

/** What a reaper found, as plain data. */
export interface Reaped {
  returned: number[]
  inHand: number[]
  abandoned: number
}

/** One try to clean up after participants; AGAIN while that has to wait. */
export function reap({ layout }: Queue, participant: number, ...dead: number[]): Operation {
  return (context) => {
    const reaper = new Reaper(memoryOf(context, layout, participant))
    const reports = dead.map((one) => reaper.begin(one)).filter((report) => report !== undefined)
    const all: Reaped = { returned: [], inHand: [], abandoned: 0 }
    let settled = true
    for (const report of reports) {
      settled = reaper.step(report) && settled
      all.returned.push(...report.returned.map(({ tag }) => tag))
      all.inHand.push(...report.inHand)
      all.abandoned += report.abandoned
    }
    if (settled) return all
    if (all.returned.length + all.abandoned > 0) throw new Error('settled by halves')
    return AGAIN
  }
}

/** Items in the queue, claims included. */
export function depthOf({ layout }: Queue, { memory }: End): number {
  const at = bandAt(layout, 0)
  return ((wordAt(memory, at + BAND.TAIL) - wordAt(memory, at + BAND.HEAD)) | 0) >> 1
}

/** All tags that consumers have taken, thread by thread. */
export function taken({ results }: End, consumers: number[]): number[] {
  return consumers
    .flatMap((consumer) => results[consumer] ?? [])
    .flat()
    .filter((result) => typeof result === 'number')
}

/** All tags that `put` has reported as accepted. */
export function accepted({ results }: End, producers: number[]): number[] {
  return producers
    .flatMap((producer) => results[producer] ?? [])
    .flat()
    .filter((result) => typeof result === 'number')
}

/** A participant's views hold nothing that outlives an operation, so there need be only one of each. */
function memoryOf({ words, bytes }: Context, layout: Layout, participant: number): Memory {
  let memories = views.get(words)
  if (memories === undefined) views.set(words, (memories = []))
  return (memories[participant] ??= new Memory(words, bytes, layout, participant))
}

const views = new WeakMap<Int32Array, Memory[]>()

/**
 * Waits with the package's own code, which is left before it tries a second time: the operation is then
 * made AGAIN, as it would be, but the explorer need not know what has been read before.
 * @returns whether the attempt has succeeded
 */
function block(attempt: () => Need | undefined): boolean {
  let attempts = 0
  try {
    return blocking.until(() => {
      if (++attempts === 2) throw secondAttempt
      return attempt()
    }, Infinity)
  } catch (error) {
    if (error === secondAttempt) return false
    throw error
  }
}

// One for all: see the explorer's.
const secondAttempt = new Error('Second attempt')

const blocking = new Blocking(() => false)
const nothing = new Uint8Array(0)
const slab = new Slab()

function freshSlab(): Slab {
  slab.used = 0
  return slab
}

/** Tags of the items that are still in the queue. Throws if a slot is in a state that it must not be left in. */
export function left({ layout }: Queue, { memory }: End): number[] {
  const tags: number[] = []
  for (let band = 0; band < layout.bands; band++) {
    const at = bandAt(layout, band)
    const head = wordAt(memory, at + BAND.HEAD)
    const tail = wordAt(memory, at + BAND.TAIL) & ~CLOSED_BIT
    for (let i = 0; i < layout.capacity; i++) {
      const position = (head + 2 * i) | 0
      const stamp = wordAt(memory, stampsOf(layout, band) + stampIndex(position, layout.capacity))
      const isFull = 2 * i < ((tail - head) | 0)
      if (stamp !== (isFull ? position | 1 : position)) {
        throw new Error(`position ${position >>> 1} has stamp ${stamp}, full: ${isFull}`)
      }
      const slot = slotAt(layout, band, position)
      if (isFull && wordAt(memory, slot + SLOT.CHAIN) !== TOMBSTONE) {
        tags.push(wordAt(memory, slot + SLOT.TAG))
      }
    }
  }
  return tags
}

function slotAt(layout: Layout, band: number, position: number): number {
  const index = (position >>> 1) & (layout.capacity - 1)
  return layout.slots + (band * layout.capacity + index) * layout.slotWords
}
