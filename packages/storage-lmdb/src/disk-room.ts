import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { availableBytes, storeFull } from './failures.ts'
import type { LmdbStats } from './lmdb-stats.ts'

const PAGE_BYTES = 4096
/** What an entry takes beside key and value. */
const ENTRY_BYTES = 64
/** What a transaction may take for the list of free pages, and for a few small entries. */
const TRANSACTION_BYTES = 64 * 1024
/** While so much is free on the disk, a part of it may be taken without looking again, for so long. */
const PLENTY_BYTES = 256 * 1024 * 1024
const PART = 8
const FRESH_MS = 100
/** So much longer than its pages the file is kept, and how often that is seen to while there is plenty. */
const TAIL_BYTES = 4 * 1024 * 1024
const TAIL_MS = 250
/** A part of that, which is for what only deletes. */
const KEPT_BYTES = 1024 * 1024
/** What the list of freed pages takes of the longest value. */
const FREED_BYTES = 20 * 1024

const zeros = Buffer.alloc(64 * 1024)

/**
 * Keeps LMDB from meeting a full disk. When a page cannot be written for want of room, lmdb 3.5.6 writes its message over the
 * end of its memory, which ends the process sooner or later (`sprintf` in `mdb_page_flush`); and where a part of a page
 * can be written, it calls that an I/O error, as if the disk were broken. So each transaction counts what it may come to
 * write. While the disk has plenty, that is all. With less, it has to fit into the end of the data file, behind LMDB's pages, which is made
 * longer before: what the system has given once, it does not take back. Pages that are free inside of the file do
 * not count: LMDB may not find those that follow each other, or that no snapshot can see.
 */
export class DiskRoom {
  readonly #folder: string
  readonly #stats: LmdbStats
  #file: number | undefined
  /** What this transaction may have added so far, and what it may have copied and split. */
  #added = 0
  #copied = 0
  /** How many entries it has put anywhere or removed: each may free the pages of a long value. */
  #calls = 0
  /** What the first two may come to before it looks again. */
  #allowed = 0
  #isRemoval = false
  /** When there was plenty, and when the end of the file was seen to, by `performance.now()`. */
  #plentyAt = -Infinity
  #tailAt = performance.now()
  #error: Error | undefined
  /** Heads from this number on come into being with this transaction, so that all that lies under them comes into new pages. */
  freshFrom: number = Infinity

  constructor(folder: string, stats: LmdbStats) {
    this.#folder = folder
    this.#stats = stats
  }

  /** Opens the file, while there are descriptors. */
  open(): void {
    this.#opened()
  }

  /** Bytes that this transaction may have taken so far. */
  get spent(): number {
    const fileBytes = this.#stats.fileBytes()
    // Every page is copied once, and may be split in two. The list of pages that were freed has 8 bytes for each.
    const copied = Math.min(this.#copied, 2 * fileBytes)
    return this.#added + copied + Math.min(this.#calls * FREED_BYTES, fileBytes / 512)
  }

  /** Whether there was little room at the last look. */
  get isShort(): boolean {
    return this.#plentyAt === -Infinity
  }

  /** Whether a transaction that could end here should. */
  get isNearlySpent(): boolean {
    return this.isShort && this.#added + this.#copied > this.#allowed / 2
  }

  /**
   * A write transaction has begun, and has written nothing.
   * @param isRemoval Whether it makes room.
   * @throws {TreeError} `ERR_STORE_FULL`
   */
  begin(isRemoval: boolean): void {
    const isFresh = performance.now() - this.#plentyAt < FRESH_MS
    this.#allowed = isFresh ? this.#allowed - this.#added - this.#copied : 0
    this.#added = 0
    this.#copied = 0
    this.#calls = 0
    this.#isRemoval = isRemoval
    this.#error = undefined
    this.freshFrom = Infinity
    if (!isFresh) this.giveBack()
    this.#spend(TRANSACTION_BYTES, 0)
  }

  /**
   * A row is about to be put. @throws {TreeError} `ERR_STORE_FULL`
   * @param nameLength in characters
   */
  spendRow(head: number, nameLength: number, bytes: number): void {
    if (head >= this.freshFrom) this.spendAtEnd(3 * nameLength + bytes)
    else this.spend(nameLength, bytes)
  }

  /** Something is about to be put behind all others. @throws {TreeError} `ERR_STORE_FULL` */
  spendAtEnd(bytes: number): void {
    this.#spend(pageShare(bytes), 0)
  }

  /**
   * Something is about to be put anywhere, or to be removed. LMDB copies the page, and splits it or brings it together with the
   * next one; and it copies those above, of which there are more where keys are long.
   * @throws {TreeError} `ERR_STORE_FULL`
   */
  spend(keyLength: number, bytes: number): void {
    const added = bytes === 0 ? 0 : pageShare(3 * keyLength + bytes)
    this.#calls++
    this.#spend(added, 2 * PAGE_BYTES + 32 * keyLength)
  }

  /** One after the other is about to be removed: a page is for several of them. @throws {TreeError} `ERR_STORE_FULL` */
  spendInOrder(): void {
    this.#spend(0, PAGE_BYTES / 2)
  }

  /** A transaction is about to commit. @throws {TreeError} what one of its calls was refused with, whoever caught it */
  check(): void {
    if (this.#error !== undefined) throw this.#error
  }

  /** Makes the file shorter that was made longer than was needed. Only in a transaction that has written nothing. */
  giveBack(): void {
    if (this.#file === undefined) return
    const most = this.#stats.fileBytes() + TAIL_BYTES
    // Not for a little: that would be taken again.
    if (fstatSync(this.#file).size > most + TAIL_BYTES) ftruncateSync(this.#file, most)
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  #spend(added: number, copied: number): void {
    this.#added += added
    this.#copied += copied
    if (this.#added + this.#copied > this.#allowed) this.#look()
  }

  #look(): void {
    this.check()
    const { spent } = this
    const available = availableBytes(this.#folder)
    const hasPlenty = available >= PLENTY_BYTES + spent
    this.#plentyAt = hasPlenty ? performance.now() : -Infinity
    if (hasPlenty && this.#plentyAt - this.#tailAt > TAIL_MS) this.#keepTail()
    const left = hasPlenty ? available / PART : this.#leftWithLittle(spent, available)
    if (left < 0) {
      this.#error = storeFull('Cannot commit')
      throw this.#error
    }
    this.#allowed = this.#added + this.#copied + left
  }

  /** What a transaction may take beside what it has; negative where that is too much. */
  #leftWithLittle(spent: number, available: number): number {
    const kept = this.#isRemoval ? 0 : KEPT_BYTES
    return this.#tail(spent + kept, spent + TAIL_BYTES, available) - kept - spent
  }

  /** Sees to it that there is an end for when the disk is full. */
  #keepTail(): void {
    this.#tailAt = this.#plentyAt
    this.#tail(TAIL_BYTES / 2, TAIL_BYTES, Infinity)
  }

  /**
   * Makes the end of the data file longer where it is too short.
   * @param needed Without so much it is of no use.
   * @param wanted So much it should be.
   * @param available Bytes that are free on the disk.
   * @returns its length
   */
  #tail(needed: number, wanted: number, available: number): number {
    const file = this.#opened()
    if (file === undefined) return 0
    const end = this.#stats.fileBytes()
    let { size } = fstatSync(file)
    if (size - end >= needed) return size - end
    const most = Math.min(end + wanted, size + available)
    if (most - end < needed) return Math.max(0, size - end)
    try {
      while (size < most) {
        size += writeSync(file, zeros, 0, Math.min(zeros.length, most - size), size)
      }
    } catch {
      // It is full, for what reason ever.
    }
    return size - end
  }

  #opened(): number | undefined {
    try {
      return (this.#file ??= openSync(join(this.#folder, 'data.mdb'), 'r+'))
    } catch {
      // As when too many files are open: then nothing is made longer.
      return undefined
    }
  }
}

/**
 * What an entry may take of new pages. Those that were split stay half empty; of longer entries there is one in each,
 * and long values have their own.
 */
function pageShare(bytes: number): number {
  const entry = ENTRY_BYTES + bytes
  if (entry > PAGE_BYTES / 2) return entry + 2 * PAGE_BYTES
  return entry > PAGE_BYTES / 8 ? PAGE_BYTES : 2 * entry
}
