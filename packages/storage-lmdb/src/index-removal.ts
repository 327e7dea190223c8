import { headOfIndexKey, indexOfIndexKey, indexStart } from './index-key.ts'
import { iterableOf } from './iterable.ts'
import type { Lmdb } from './lmdb.ts'

/**
 * Removes up to `limit` index entries from `start` up to, not including, `end`, inside the open write
 * transaction.
 * @returns the number removed.
 */
export function removeIndexKeys(lmdb: Lmdb, start: Buffer, end: Buffer, limit: number): number {
  const keys = [...iterableOf(() => lmdb.indexes.keys(start, end, false, undefined, limit))]
  for (const key of keys) lmdb.indexes.removeKey(key)
  return keys.length
}

/** Removes the entries of an index that was dropped, head by head. */
export class IndexRemoval {
  readonly index: number
  /** Heads below this one have none left. */
  #head = 0

  constructor(index: number) {
    this.index = index
  }

  /** Removes up to `limit` of them. @returns whether some may be left. */
  step(lmdb: Lmdb, limit: number): boolean {
    // Entries of other indexes are leapt over: one look for each head.
    for (let looks = 0; looks < limit; looks++) {
      const first = this.#first(lmdb)
      if (first === undefined) return false
      this.#head = headOfIndexKey(first)
      const found = indexOfIndexKey(first)
      if (found > this.index) this.#head++
      else if (found === this.index) {
        this.#removeUnderHead(lmdb, limit)
        break
      }
    }
    return true
  }

  #removeUnderHead(lmdb: Lmdb, limit: number): void {
    const [start, end] = [
      indexStart(this.#head, this.index),
      indexStart(this.#head, this.index + 1),
    ]
    if (removeIndexKeys(lmdb, start, end, limit) < limit) this.#head++
  }

  /** The first entry that may be one of this index. */
  #first(lmdb: Lmdb): Uint8Array | undefined {
    const start = indexStart(this.#head, this.index)
    const [key] = iterableOf(() => lmdb.indexes.keys(start, END, false, undefined, 1))
    return key
  }
}

/** Behind all entries. */
const END = Buffer.alloc(16, 0xff)
