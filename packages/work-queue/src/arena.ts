// The blocks of long items, and the chains they form. See I7 in layout.ts.
import { FREE, LINKED, QUEUED, wordAt } from './layout.ts'
import type { Layout } from './layout.ts'
import type { EventCount } from './waiting.ts'

/** A chain as its holder sees it: the blocks in order. */
export type Chain = number[]

/** One participant's view of the arena. */
export class Arena {
  readonly blockBytes: number
  readonly blockCount: number

  readonly #words: Int32Array
  readonly #memory: Uint8Array<SharedArrayBuffer>
  readonly #owners: number
  readonly #links: number
  readonly #blocksAt: number
  readonly #events: EventCount
  readonly #me: number
  /** Where the next search starts. */
  #hint: number

  constructor(
    words: Int32Array,
    memory: Uint8Array<SharedArrayBuffer>,
    layout: Layout,
    participant: number,
    events: EventCount,
  ) {
    this.blockBytes = layout.blockBytes
    this.blockCount = layout.blockCount
    this.#words = words
    this.#memory = memory
    this.#owners = layout.blockOwners
    this.#links = layout.blockLinks
    this.#blocksAt = layout.blocks * 4
    this.#events = events
    this.#me = participant + 1
    // Participants start apart, so that they seldom try for the same block.
    this.#hint = layout.blockCount === 0 ? 0 : (participant * 7) % layout.blockCount
  }

  /** Blocks for so many bytes. */
  blocksFor(byteLength: number): number {
    return Math.ceil(byteLength / this.blockBytes)
  }

  /** The bytes of the longest item, whose length has to fit a word. */
  get maxBytes(): number {
    return Math.min(this.blockCount * this.blockBytes, 2 ** 32 - 1)
  }

  countFree(): number {
    let free = 0
    for (let block = 0; block < this.blockCount; block++) {
      if (Atomics.load(this.#words, this.#owners + block) === FREE) free++
    }
    return free
  }

  /**
   * Appends `count` blocks to a chain, or none. Two threads that want much at once can both fail, and both try again
   * when the other has given back; a long item gets no place in a line, and shorter ones can pass it.
   *
   * It looks first: what was taken in vain has to be told to those that have found too few meanwhile, who would
   * do the same, and wake each other all the time while there are too few.
   *
   * @returns whether it did
   */
  grow(chain: Chain, count: number): boolean {
    if (!this.hasFree(count)) return false
    const before = chain.length
    for (let looked = 0; looked < this.blockCount && chain.length - before < count; looked++) {
      const block = this.#hint
      this.#hint = block + 1 === this.blockCount ? 0 : block + 1
      const owner = this.#owners + block
      if (
        Atomics.load(this.#words, owner) === FREE &&
        Atomics.compareExchange(this.#words, owner, FREE, this.#me) === FREE
      ) {
        chain.push(block)
      }
    }
    if (chain.length - before < count) {
      const taken = chain.splice(before)
      for (const block of taken) Atomics.store(this.#words, this.#owners + block, FREE)
      if (taken.length > 0) this.#events.wakeAll()
      return false
    }
    for (let i = Math.max(1, before); i < chain.length; i++) {
      const block = chain[i] as number
      this.#words[this.#links + (chain[i - 1] as number)] = block + 1
      Atomics.store(this.#words, this.#owners + block, LINKED)
    }
    return true
  }

  /** Whether so many blocks are free, looked at in the order in which they would be taken. */
  hasFree(count: number): boolean {
    let free = 0
    let block = this.#hint
    for (let looked = 0; looked < this.blockCount && free < count; looked++) {
      if (Atomics.load(this.#words, this.#owners + block) === FREE) free++
      block = block + 1 === this.blockCount ? 0 : block + 1
    }
    return free >= count
  }

  /** Gives all but the first `count` blocks back. */
  shrink(chain: Chain, count: number): void {
    if (chain.length <= count) return
    if (count === 0) {
      this.free(chain[0] as number)
    } else {
      this.#freeBehind(chain[count - 1] as number)
      this.#events.wakeAll()
    }
    chain.length = count
  }

  /** Notes that a slot carries the chain, just before that slot is published. */
  handOver(first: number): void {
    Atomics.store(this.#words, this.#owners + first, QUEUED)
  }

  /** Notes that a participant has the chain, just before its slot is released. Default: this one. */
  takeOver(first: number, participant: number = this.#me - 1): void {
    Atomics.store(this.#words, this.#owners + first, participant + 1)
  }

  /** The blocks of a chain, by its links. */
  chainFrom(first: number): Chain {
    const chain = [first]
    for (let next = this.#next(first); next !== 0; next = this.#next(next - 1)) chain.push(next - 1)
    return chain
  }

  /** Gives a whole chain back, of which this participant holds the first block. */
  free(first: number): void {
    this.#freeBehind(first)
    Atomics.store(this.#words, this.#owners + first, FREE)
    this.#events.wakeAll()
  }

  /**
   * Gives back what hangs behind `first`. At each step every block is free, reachable from `first`, or has its
   * holder as its owner, so that whoever reaps finds them all, wherever this stops.
   */
  #freeBehind(first: number): void {
    const words = this.#words
    for (let next = this.#next(first); next !== 0; next = this.#next(first)) {
      const block = next - 1
      Atomics.store(words, this.#owners + block, this.#me)
      Atomics.store(words, this.#links + first, this.#next(block))
      Atomics.store(words, this.#links + block, 0)
      Atomics.store(words, this.#owners + block, FREE)
    }
  }

  /** Copies `bytes` into a chain, from its byte `offset` on. */
  write(chain: Chain, offset: number, bytes: Uint8Array): void {
    let written = 0
    while (written < bytes.length) {
      const at = offset + written
      const inBlock = at % this.blockBytes
      const block = chain[(at - inBlock) / this.blockBytes] as number
      const length = Math.min(bytes.length - written, this.blockBytes - inBlock)
      const part = length === bytes.length ? bytes : bytes.subarray(written, written + length)
      this.#memory.set(part, this.#blocksAt + block * this.blockBytes + inBlock)
      written += length
    }
  }

  /** Views of the first `byteLength` bytes of a chain. */
  views(chain: Chain, byteLength: number): Uint8Array<SharedArrayBuffer>[] {
    return Array.from({ length: this.blocksFor(byteLength) }, (_, i) => {
      const at = this.#blocksAt + (chain[i] as number) * this.blockBytes
      return this.#memory.subarray(
        at,
        at + Math.min(this.blockBytes, byteLength - i * this.blockBytes),
      )
    })
  }

  /** The first `byteLength` bytes of a chain, in private memory. */
  copyOf(first: number, byteLength: number): Uint8Array<ArrayBuffer> {
    const copy = new Uint8Array(byteLength)
    let offset = 0
    for (const view of this.views(this.chainFrom(first), byteLength)) {
      copy.set(view, offset)
      offset += view.length
    }
    return copy
  }

  /**
   * Makes a chain of a dead producer its own again, if it was about to go into a slot that has
   * never been published.
   */
  recall(first: number, owner: number): void {
    Atomics.compareExchange(this.#words, this.#owners + first, QUEUED, owner + 1)
  }

  /** Gives back every block that a participant holds; its thread is dead, or the caller's own. */
  freeAllOf(participant: number): void {
    const words = this.#words
    const held = new Set<number>()
    for (let first = 0; first < this.blockCount; first++) {
      if (Atomics.load(words, this.#owners + first) !== participant + 1) continue
      // One that was about to be linked or unlinked can be reached from two.
      for (const block of this.chainFrom(first)) held.add(block)
    }
    // First all get one living owner: should this thread die too, nothing is lost.
    for (const block of held) Atomics.store(words, this.#owners + block, this.#me)
    for (const block of held) {
      Atomics.store(words, this.#links + block, 0)
      Atomics.store(words, this.#owners + block, FREE)
    }
    if (held.size > 0) this.#events.wakeAll()
  }

  #next(block: number): number {
    return wordAt(this.#words, this.#links + block)
  }
}
