import type { Arena } from './arena.ts'
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

  get inBlocks(): boolean {
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
    this.byteLength = byteLength
    this.tag = tag
    this.band = band
    this.#detached = detached
  }

  get inBlocks(): boolean {
    return this.#state === 'held' && !this.#detached()
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    if (this.#bytes === undefined) {
      const bytes = new Uint8Array(this.byteLength)
      let offset = 0
      for (const segment of this.#views()) {
        bytes.set(segment, offset)
        offset += segment.length
      }
      this.#bytes = bytes
      this.release()
    }
    return this.#bytes
  }

  segments(): Uint8Array[] {
    return this.#bytes === undefined ? this.#views() : [this.#bytes]
  }

  #views(): Uint8Array[] {
    if (!this.inBlocks) throw new TypeError('Cannot read an item: its blocks were given back')
    return this.#arena.views(this.#arena.chainFrom(this.#first), this.byteLength)
  }

  release(): void {
    if (this.inBlocks) this.#arena.free(this.#first)
    this.#state = 'released'
  }

  [Symbol.dispose](): void {
    this.release()
  }
}

/** Where the items of a batch are: the copied slots, the word of each item's slot in them. */
export interface BatchParts {
  memory: Uint8Array<ArrayBuffer>
  band: number
  lengths: number[]
  tags: number[]
  /** Offset of the bytes in `memory`; -1 for an item in blocks. */
  offsets: number[]
  /** Items in blocks, by index. */
  chained: Map<number, ChainItem>
}

/** Items taken at once. */
export class Batch implements WorkBatch {
  readonly #parts: BatchParts
  #items: WorkItem[] | undefined

  constructor(parts: BatchParts) {
    this.#parts = parts
  }

  get length(): number {
    return this.#parts.offsets.length
  }

  get band(): number {
    return this.#parts.band
  }

  get memory(): Uint8Array<ArrayBuffer> {
    return this.#parts.memory
  }

  tag(index: number): number {
    return this.#at(this.#parts.tags, index)
  }

  byteLength(index: number): number {
    return this.#at(this.#parts.lengths, index)
  }

  byteOffset(index: number): number {
    return this.#at(this.#parts.offsets, index)
  }

  item(index: number): WorkItem {
    this.#items ??= []
    return (this.#items[index] ??= this.#makeItem(index))
  }

  #makeItem(index: number): WorkItem {
    const offset = this.byteOffset(index)
    const chained = this.#parts.chained.get(index)
    if (chained !== undefined) return chained
    const { memory, band } = this.#parts
    const at = memory.byteOffset + offset
    const bytes = new Uint8Array(memory.buffer, at, this.byteLength(index))
    return new SlotItem(bytes, this.tag(index), band)
  }

  *[Symbol.iterator](): Generator<WorkItem, void, undefined> {
    for (let index = 0; index < this.length; index++) yield this.item(index)
  }

  release(): void {
    for (const item of this.#parts.chained.values()) item.release()
  }

  [Symbol.dispose](): void {
    this.release()
  }

  #at(values: number[], index: number): number {
    const value = values[index]
    if (value === undefined) {
      throw new RangeError(`Cannot read item ${index} of a batch: it has ${this.length}`)
    }
    return value
  }
}
