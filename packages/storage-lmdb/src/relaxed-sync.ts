import { closeSync, fdatasyncSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { storeError } from './failures.ts'
import { SharedWord } from './lmdb.ts'
import type { Lmdb } from './lmdb.ts'

const INTERVAL_MS = 1000

/** A timer may be so many milliseconds late: one long turn of the event loop is no reason to make it longer. */
const LATE_MS = 1000

/** Brings `relaxed` commits to the disk once a second. */
export class RelaxedSync {
  readonly #lmdb: Lmdb
  /** The data file, open for as long as this goes on: later its path may lead elsewhere, or too many others be open. */
  readonly #file: number
  readonly #timer: NodeJS.Timeout
  /** When the timer had its turn last, or a sync in its place. */
  #last = performance.now()
  /** How long after that the next one is due which is not left to the timer. */
  #dueMs = INTERVAL_MS + LATE_MS
  /** How many commits of all threads are on the disk. */
  #commits: number
  /** The one that goes on now. */
  #running: Promise<void> | undefined
  /** Why they did not get there; the next writer is told. */
  #error: unknown

  constructor(lmdb: Lmdb, folder: string) {
    this.#lmdb = lmdb
    this.#file = openFile(join(folder, 'data.mdb'))
    this.#commits = this.#countCommits()
    this.#timer = setInterval(() => {
      this.#last = performance.now()
      this.#dueMs = INTERVAL_MS + LATE_MS
      // A slow disk gains nothing by a second one.
      this.#running ??= this.#sync()
    }, INTERVAL_MS).unref()
  }

  /** Does what the timer has no turn for while the thread does not return to its event loop, and waits for it. */
  keepUp(): void {
    if (performance.now() - this.#last < this.#dueMs) return
    const commits = this.#countCommits()
    if (commits === this.#commits) return
    try {
      // lmdb tells only the event loop when it has done that.
      fdatasyncSync(this.#file)
      this.#commits = commits
    } catch (error) {
      this.#error = storeError(error, 'Cannot sync')
    }
    this.#last = performance.now()
    // Until the timer has its turn again.
    this.#dueMs = INTERVAL_MS
  }

  /** @throws once what a sync failed with. */
  check(): void {
    const error = this.#error
    if (error === undefined) return
    this.#error = undefined
    throw error
  }

  /** Resolves when none goes on any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#running
    closeSync(this.#file)
  }

  async #sync(): Promise<void> {
    const commits = this.#countCommits()
    try {
      await this.#lmdb.sync()
      this.#commits = commits
    } catch (error) {
      // What the system could not write it may forget, so that a later sync says nothing of it.
      this.#error = error
    } finally {
      this.#running = undefined
    }
  }

  #countCommits(): number {
    return Atomics.load(this.#lmdb.shared, SharedWord.commits)
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r+')
  } catch (error) {
    throw storeError(error, 'Cannot open the database')
  }
}
