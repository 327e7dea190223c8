import assert from 'node:assert/strict'
import { attachWorkQueue } from '../src/index.ts'
import type { WorkItem, WorkQueue } from '../src/index.ts'
import { createSharedQueue } from '../src/shared-queue.ts'

// Items of random lengths through two participants, beside a model that is two plain lists: what is accepted, what
// comes out, in which order, and how many blocks are free, after each step.
const capacity = 4
export const slotBytes = 48
export const blockBytes = 64
export const blockCount = 12

/** Something that one of two participants does. */
export type Step =
  | { do: 'put'; who: number; band: number; lengths: number[] }
  | { do: 'draft'; who: number; band: number; lengths: number[]; reserve: boolean }
  | { do: 'claim'; who: number; band: number; length: number; isPublished: boolean }
  | { do: 'take'; who: number; max: number; isHeld: boolean }
  | { do: 'release'; who: number }
  | { do: 'detach'; who: number }

/** An item as the model has it; without bytes it is a claim that was abandoned. */
interface Entry {
  tag: number
  bytes: Uint8Array | undefined
}

interface Participant {
  queue: WorkQueue
  held: { item: WorkItem; bytes: Uint8Array }[]
}

/** Makes each step with the queue and with the model, and compares. */
export class Trial {
  readonly #first: WorkQueue
  readonly #participants: Participant[]
  readonly #bands: Entry[][] = [[], []]
  /** Tags of what was a draft. */
  readonly #drafts = new Set<number>()
  #free = blockCount
  #tag = 0

  constructor(firstPosition: number) {
    const options = { capacity, slotBytes, bands: 2, blockBytes, ageEvery: 3, sampleEvery: 1 }
    const arenaBytes = blockCount * blockBytes
    this.#first = createSharedQueue({ ...options, arenaBytes }, firstPosition)
    this.#participants = [0, 1].map(() => this.#attach())
  }

  #attach(): Participant {
    return { queue: attachWorkQueue(this.#first.handle), held: [] }
  }

  step(step: Step): void {
    const participant = this.#participants[step.who] as Participant
    switch (step.do) {
      case 'put':
        this.#put(participant.queue, step.band, step.lengths)
        break
      case 'draft':
        this.#draft(participant.queue, step.band, step.lengths, step.reserve)
        break
      case 'claim':
        this.#claim(participant.queue, step.band, step.length, step.isPublished)
        break
      case 'take':
        this.#take(participant, step.max, step.isHeld)
        break
      case 'release':
        this.#release(participant)
        break
      case 'detach':
        for (const { bytes } of participant.held) this.#free += Math.ceil(bytes.length / blockBytes)
        participant.queue.detach()
        this.#participants[step.who] = this.#attach()
        break
      default:
        step satisfies never
    }
    const { bands, blocks } = this.#first.stats()
    assert.deepEqual(blocks, { total: blockCount, free: this.#free })
    assert.deepEqual(
      bands.map(({ depth }) => depth),
      this.#bands.map(({ length }) => length),
    )
  }

  #put(queue: WorkQueue, band: number, lengths: number[]): void {
    const tag = ++this.#tag
    const sources = lengths.map((length, index) => content(tag + index, length))
    let accepted = 0
    for (const source of sources) {
      if (!this.#accept(band, { tag, bytes: source })) break
      accepted++
    }
    const done =
      sources.length === 1
        ? Number(queue.tryEnqueue(sources[0] as Uint8Array, { band, tag }))
        : queue.tryEnqueueMany(sources, { band, tag })
    assert.equal(done, accepted)
    for (const source of sources) source.fill(0)
  }

  /** @returns whether the model has room for it */
  #accept(band: number, { tag, bytes }: Entry): boolean {
    const entries = this.#bands[band] as Entry[]
    const blocks = blocksFor(bytes?.length ?? 0)
    if (entries.length === capacity || blocks > this.#free) return false
    this.#free -= blocks
    entries.push({ tag, bytes: bytes?.slice() })
    return true
  }

  #draft(queue: WorkQueue, band: number, lengths: number[], reserve: boolean): void {
    const tag = ++this.#tag
    using draft = queue.draft()
    const total = lengths.reduce((sum, length) => sum + length, 0)
    const bytes = content(tag, total)
    const hasBlocks = Math.ceil(total / blockBytes) <= this.#free
    if (reserve) assert.equal(draft.tryReserve(total), hasBlocks)
    let offset = 0
    const isWritten = lengths.every((length) => {
      offset += length
      return draft.tryWrite(bytes.subarray(offset - length, offset))
    })
    assert.equal(isWritten, hasBlocks)
    if (!isWritten) return
    const hasRoom = this.#bands[band]?.length !== capacity
    assert.equal(queue.tryEnqueue(draft, { band, tag }), hasRoom)
    if (!hasRoom) return
    this.#bands[band]?.push({ tag, bytes })
    // What was a draft lies in blocks, however short.
    this.#free -= Math.ceil(total / blockBytes)
    this.#drafts.add(tag)
  }

  #claim(queue: WorkQueue, band: number, length: number, isPublished: boolean): void {
    const tag = ++this.#tag
    const claim = queue.tryClaim(slotBytes, { band, tag })
    assert.equal(claim !== undefined, this.#bands[band]?.length !== capacity)
    if (claim === undefined) return
    const bytes = content(tag, length)
    claim.bytes.set(bytes)
    if (isPublished) claim.publish(length)
    else claim.abandon()
    this.#bands[band]?.push({ tag, bytes: isPublished ? bytes : undefined })
  }

  #take(participant: Participant, max: number, isHeld: boolean): void {
    const { queue } = participant
    const hasItem = this.#bands.flat().some(({ bytes }) => bytes !== undefined)
    const items = max === 1 ? [queue.tryDequeue()] : [...(queue.tryDequeueMany({ max }) ?? [])]
    const taken = items.filter((item) => item !== undefined)
    assert.equal(taken.length > 0, hasItem)
    assert(new Set(taken.map(({ band }) => band)).size <= 1)
    for (const item of taken) this.#expectNext(participant, item, isHeld)
    // Claims that were abandoned go when somebody comes by.
    for (const [band, { depth }] of this.#first.stats().bands.entries()) {
      const entries = this.#bands[band] as Entry[]
      while (entries.length > depth && entries[0]?.bytes === undefined) entries.shift()
    }
  }

  #expectNext(participant: Participant, item: WorkItem, isHeld: boolean): void {
    const entries = this.#bands[item.band] as Entry[]
    while (entries[0]?.bytes === undefined && entries.length > 0) entries.shift()
    const { tag, bytes } = entries.shift() as { tag: number; bytes: Uint8Array }
    assert.deepEqual({ tag: item.tag, length: item.byteLength }, { tag, length: bytes.length })
    if (isHeld && item.inBlocks) {
      participant.held.push({ item, bytes })
      return
    }
    const blocks = item.inBlocks ? Math.ceil(bytes.length / blockBytes) : 0
    assert.equal(item.inBlocks, this.#isInBlocks(tag, bytes))
    assert.deepEqual(item.bytes, bytes)
    this.#free += blocks
  }

  #isInBlocks(tag: number, bytes: Uint8Array): boolean {
    return bytes.length > slotBytes || (this.#drafts.has(tag) && bytes.length > 0)
  }

  #release({ held }: Participant): void {
    const next = held.shift()
    if (next === undefined) return
    const { item, bytes } = next
    assert.equal(Buffer.concat(item.segments()).equals(bytes), true)
    item.release()
    this.#free += Math.ceil(bytes.length / blockBytes)
  }
}

function blocksFor(length: number): number {
  return length > slotBytes ? Math.ceil(length / blockBytes) : 0
}

/** Bytes that are different for each item. */
function content(tag: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (tag * 31 + at * 7) & 255)
}
