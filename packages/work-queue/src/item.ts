import type { Arena } from './arena.ts'
import { SLOT, wordAt } from './layout.ts'
import type { WorkBatch, WorkItem } from './work-queue.ts'

/** An item that came in its slot: its bytes are a copy in this thread's memory. */
export class SlotItem implements WorkItem {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly tag: number
  readonly band: number

  constructor(bytes: Uint8Array<ArrayBuffer>, tag: number, band: number) {
    this.bytes = bytes
    this.tag = tag
    this.band = band
  }

  get byteLength(): number {
    return this.bytes.byteLength
  }

  get inBlocks(): false {
    return false
  }

  segments(): Uint8Array[] {
    return [this.bytes]
  }

  release(): void {
    // Nothing is held.
  }

  [Symbol.dispose](): void {
    // Nothing is held.
  }
}

/** An item in a chain of blocks, which this thread holds until it is released. */
export class ChainItem implements WorkItem {
  readonly byteLength: number
  readonly tag: number
  readonly band: number
  readonly #arena: Arena
  readonly #first: number
  readonly #detached: () => boolean
  #state: 'held' | 'released' = 'held'
  #bytes: Uint8Array<ArrayBuffer> | undefined
  /** For `Underway`. */
  isHanded = false

  /** @param byteLength as it stands in the slot, where those from 2^31 on are negative */
  constructor(
    arena: Arena,
    first: number,
    byteLength: number,
    tag: number,
    band: number,
    detached: () => boolean,
  ) {
    this.#arena = arena
    this.#first = first
    this.byteLength = byteLength >>> 0
    this.tag = tag
    this.band = band
    this.#detached = detached
  }

  get inBlocks(): boolean {
    return this.#state === 'held' && !this.#detached()
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes ?? this.#copyOut()
  }

  segments(): Uint8Array[] {
    return this.#bytes === undefined ? this.#views() : [this.#bytes]
  }

  /** As a look at `bytes` would, but for an item that was released. */
  copyOut(): void {
    if (this.inBlocks) this.#copyOut()
  }

  #copyOut(): Uint8Array<ArrayBuffer> {
    this.#checkInBlocks()
    this.#bytes = this.#arena.copyOf(this.#first, this.byteLength)
    this.release()
    return this.#bytes
  }

  #views(): Uint8Array[] {
    this.#checkInBlocks()
    return this.#arena.views(this.#arena.chainFrom(this.#first), this.byteLength)
  }

  #checkInBlocks(): void {
    if (!this.inBlocks) throw new TypeError('Cannot read an item: its blocks were given back')
  }

  release(): void {
    if (this.inBlocks) this.#arena.free(this.#first)
    this.#state = 'released'
  }

  [Symbol.dispose](): void {
    this.release()
  }
}

/** Copied slots, as words of private memory. */
export interface Slots {
  words: Int32Array<ArrayBuffer>
  /** The first slot, in words. */
  at: number
  slotWords: number
  count: number
  band: number
}

/** Items taken at once. */
export class Batch implements WorkBatch {
  readonly length: number
  readonly memory: Uint8Array<ArrayBuffer>
  readonly #slots: Slots
  /** The slot of each item, if not all slots have one. */
  readonly #slotOfItem: number[] | undefined
  readonly #chained: Map<number, ChainItem> | undefined
  /** For `Underway`. */
  isHanded = false
  #items: (SlotItem | ChainItem)[] | undefined

  /** @param chained the items in blocks, by slot */
  constructor(
    slots: Slots,
    slotOfItem: number[] | undefined,
    chained: Map<number, ChainItem> | undefined,
  ) {
    const { words, at, slotWords, count } = slots
    this.length = slotOfItem?.length ?? count
    this.memory = new Uint8Array(words.buffer, at * 4, count * slotWords * 4)
    this.#slots = slots
    this.#slotOfItem = slotOfItem
    this.#chained = chained
  }

  get band(): number {
    return this.#slots.band
  }

  /** Whether some of its items came in blocks. */
  get inBlocks(): boolean {
    return this.#chained !== undefined
  }

  tag(index: number): number {
    return wordAt(this.#slots.words, this.#word(index) + SLOT.TAG) >>> 0
  }

  byteLength(index: number): number {
    return wordAt(this.#slots.words, this.#word(index) + SLOT.LENGTH) >>> 0
  }

  byteOffset(index: number): number {
    const word = this.#word(index)
    if (wordAt(this.#slots.words, word + SLOT.CHAIN) !== 0) return -1
    return (word - this.#slots.at + SLOT.BYTES) * 4
  }

  item(index: number): SlotItem | ChainItem {
    this.#items ??= []
    return (this.#items[index] ??= this.#makeItem(index))
  }

  #makeItem(index: number): SlotItem | ChainItem {
    const chained = this.#chained?.get(this.#slotOfItem?.[index] ?? index)
    if (chained !== undefined) return chained
    const at = (this.#word(index) + SLOT.BYTES) * 4
    const bytes = new Uint8Array(this.memory.buffer, at, this.byteLength(index))
    return new SlotItem(bytes, this.tag(index), this.band)
  }

  *[Symbol.iterator](): Generator<SlotItem | ChainItem, void, undefined> {
    for (let index = 0; index < this.length; index++) yield this.item(index)
  }

  /** Copies all its items out of the blocks. */
  copyOut(): void {
    for (const item of this.#chained?.values() ?? []) item.copyOut()
  }

  release(): void {
    for (const item of this.#chained?.values() ?? []) item.release()
  }

  [Symbol.dispose](): void {
    this.release()
  }

  /** The slot of an item, in words. */
  #word(index: number): number {
    if (!(index >= 0 && index < this.length)) {
      throw new RangeError(`Cannot read item ${index} of a batch: it has ${this.length}`)
    }
    const slot = this.#slotOfItem === undefined ? index : (this.#slotOfItem[index] ?? 0)
    return this.#slots.at + slot * this.#slots.slotWords
  }
}
