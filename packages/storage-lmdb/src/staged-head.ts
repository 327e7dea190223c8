import type { Path, ServerValue, StagedValue } from '@elkyn/tree'
import type { Head } from './entry.ts'
import type { StoredIndex } from './index-catalog.ts'
import type { Lmdb } from './lmdb.ts'

/** A server value in a staged value, which waits for the write to know what it comes to. */
export interface StagedServerValue {
  /** Keys from the staged value down to it; the last may be `.priority`. */
  readonly keys: readonly string[]
  readonly value: ServerValue
}

/** The indexes whose entries were made together with the rows of a staged value. */
export class StagedIndexes {
  readonly #path: Path | undefined
  readonly #numbers: ReadonlySet<number>

  /** @param path Where they would be right; `undefined` for nowhere. */
  constructor(path: Path | undefined, numbers: ReadonlySet<number>) {
    this.#path = path
    this.#numbers = numbers
  }

  /** Whether an index has its entries where the value is written to `path`. */
  has(path: Path, { number }: StoredIndex): boolean {
    return path === this.#path && this.#numbers.has(number)
  }
}

/** A value whose rows are stored already, under a head that stands in no place yet. */
export class StagedHead implements StagedValue {
  /** Where its rows are. Elsewhere its number is that of another head, or of none. */
  readonly staged: Lmdb
  readonly head: Head
  readonly serverValues: readonly StagedServerValue[]
  readonly indexed: StagedIndexes
  #isUsed = false
  #isDiscarded = false

  constructor(
    lmdb: Lmdb,
    head: Head,
    serverValues: readonly StagedServerValue[],
    indexed: StagedIndexes,
  ) {
    this.staged = lmdb
    this.head = head
    this.serverValues = serverValues
    this.indexed = indexed
  }

  /** Whether it was written, or is being written. */
  get used(): boolean {
    return this.#isUsed
  }

  /** @throws {TypeError} when it has found its place before: two places can't share rows. Or when it was thrown away. */
  use(): void {
    if (this.#isDiscarded)
      throw new TypeError('A staged value was thrown away before it was written')
    if (this.used) throw new TypeError('A staged value can be written once only')
    this.#isUsed = true
  }

  /**
   * Makes it usable again, after the write that used it was refused, or the commit of that failed. Not after one that was
   * refused because it is used: that may be the same write, sent again.
   */
  release(): void {
    this.#isUsed = false
  }

  /** Throws it away: a write that waits, or comes later, would find its rows gone. */
  discard(): void {
    this.#isDiscarded = true
  }
}
