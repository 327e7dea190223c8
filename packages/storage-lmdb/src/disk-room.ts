import { closeSync, fstatSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { availableBytes, storeFull } from './failures.ts'
import type { LmdbStats } from './lmdb-stats.ts'

/** A put or a removal changes a page, which LMDB copies; and what is put may have it split, so that it counts twice. */
const PAGE_BYTES = 4096
/** What a transaction may take for the pages above those, and for the list of free pages. */
const TRANSACTION_BYTES = 64 * 1024
/** While so much is free on the disk, a part of it may be taken without looking again, for so long. */
const PLENTY_BYTES = 256 * 1024 * 1024
const PART = 8
const FRESH_MS = 100
/** With less, the file is made longer before there is something to write, by so much more than is needed. */
const AHEAD_BYTES = 1024 * 1024
/** So many times what is needed has to be free inside of the file to be sure that LMDB finds it. */
const SPARE = 8
/** LMDB puts longer values into pages that follow each other, which may not be found. */
const SHORT_BYTES = 2000
/** Pages that a snapshot can see are not free. This far behind, those are few. */
const FEW_COMMITS = 100

const zeros = Buffer.alloc(64 * 1024)

/**
 * Keeps LMDB from meeting a full disk. When a page cannot be written for want of room, lmdb 3.5.6 writes its message over the
 * end of its memory, which ends the process sooner or later (`sprintf` in `mdb_page_flush`); and where a part of a page
 * can be written, it calls that an I/O error, as if the disk were broken. So each transaction counts what it may come to
 * write. While the disk has plenty, that is all. With less, the data file is made longer before LMDB writes to it: what the
 * system has given once, it does not take back.
 */
export class DiskRoom {
  readonly #folder: string
  readonly #stats: LmdbStats
  /** What this transaction may have taken so far, and may take before it looks again. */
  #spent = 0
  #allowed = 0
  #longest = 0
  /** When there was plenty, by `performance.now()`. */
  #plentyAt = -Infinity
  #error: Error | undefined

  constructor(folder: string, stats: LmdbStats) {
    this.#folder = folder
    this.#stats = stats
  }

  /** Bytes that this transaction may have taken so far. */
  get spent(): number {
    return this.#spent
  }

  /** A write transaction has begun. @throws {TreeError} `ERR_STORE_FULL` */
  begin(): void {
    const isFresh = performance.now() - this.#plentyAt < FRESH_MS
    this.#allowed = isFresh ? this.#allowed - this.#spent : 0
    this.#spent = 0
    this.#longest = 0
    this.#error = undefined
    this.#spend(TRANSACTION_BYTES)
  }

  /** So many bytes are about to be put, or something to be removed. @throws {TreeError} `ERR_STORE_FULL` */
  spend(bytes: number): void {
    if (bytes > this.#longest) this.#longest = bytes
    this.#spend(PAGE_BYTES + bytes + Math.min(bytes, PAGE_BYTES))
  }

  #spend(bytes: number): void {
    this.#spent += bytes
    if (this.#spent > this.#allowed) this.#look()
  }

  /** A transaction is about to commit. @throws {TreeError} what one of its calls was refused with, whoever caught it */
  check(): void {
    if (this.#error !== undefined) throw this.#error
  }

  #look(): void {
    this.check()
    const available = availableBytes(this.#folder)
    const hasPlenty = available >= PLENTY_BYTES
    this.#plentyAt = hasPlenty ? performance.now() : -Infinity
    this.#allowed = hasPlenty ? this.#spent + available / PART : this.#allowedWithLittle()
    if (this.#spent <= this.#allowed) return
    this.#error = storeFull('Cannot commit')
    throw this.#error
  }

  #allowedWithLittle(): number {
    const end = this.#stats.fileBytes()
    const size = this.#lengthen(end + this.#spent + AHEAD_BYTES)
    return Math.max(size - end, this.#allowedInside(end))
  }

  /** What may be written into pages that are free inside of the file, whose pages end somewhere. */
  #allowedInside(end: number): number {
    if (this.#longest > SHORT_BYTES) return 0
    if (this.#stats.snapshots().oldestSnapshotCommits > FEW_COMMITS) return 0
    return (end - this.#stats.usedBytes()) / SPARE
  }

  /**
   * Makes the data file longer, as far as there is room. It is not made shorter again: LMDB may have written pages of this
   * transaction there, and read them.
   * @returns its size
   */
  #lengthen(wanted: number): number {
    const file = openSync(join(this.#folder, 'data.mdb'), 'r+')
    let { size } = fstatSync(file)
    try {
      while (size < wanted) {
        size += writeSync(file, zeros, 0, Math.min(zeros.length, wanted - size), size)
      }
    } catch {
      // It is full, for what reason ever.
    } finally {
      closeSync(file)
    }
    return size
  }
}
