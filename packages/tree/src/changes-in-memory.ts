import { keyBytes, subtreeBytes } from './node-bytes.ts'
import type { Change } from './store.ts'

/** The newest changes of a store, for those who ask for what they have missed. */
export class ChangesInMemory {
  readonly #maxCount: number
  readonly #maxBytes: number
  /** Oldest first, behind some that are dropped. Their sequence numbers follow each other. */
  #changes: (Change | undefined)[] = []
  /** What each of them takes. */
  #bytes: number[] = []
  #dropped = 0
  #totalBytes = 0

  /** The newest change is kept whatever these say. */
  constructor(maxCount: number, maxBytes: number) {
    this.#maxCount = Math.max(maxCount, 1)
    this.#maxBytes = maxBytes
  }

  get count(): number {
    return this.#changes.length - this.#dropped
  }

  add(change: Change): void {
    const bytes = bytesOf(change)
    this.#changes.push(change)
    this.#bytes.push(bytes)
    this.#totalBytes += bytes
    while (this.count > 1 && (this.count > this.#maxCount || this.#totalBytes > this.#maxBytes)) {
      this.#drop()
    }
  }

  /** Those from that sequence number on, or all where that is dropped. */
  from(sequence: number): Change[] {
    const first = this.#changes[this.#dropped]?.sequence ?? 0
    const skipped = this.#dropped + Math.max(sequence - first, 0)
    return this.#changes.slice(skipped) as Change[]
  }

  #drop(): void {
    this.#totalBytes -= this.#bytes[this.#dropped]!
    this.#changes[this.#dropped] = undefined
    this.#dropped++
    // Now and then, so that it costs nothing for each.
    if (this.#dropped < this.count) return
    this.#changes = this.#changes.slice(this.#dropped)
    this.#bytes = this.#bytes.slice(this.#dropped)
    this.#dropped = 0
  }
}

function bytesOf({ pairs }: Change): number {
  let bytes = 0
  for (const { path, value } of pairs) bytes += keyBytes(path) + subtreeBytes(value?.node ?? null)
  return bytes
}
