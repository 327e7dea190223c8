import type { Change } from '@elkyn/tree'
import type { ChangeLog } from './change-log.ts'
import { StorageError } from './errors.ts'
import { SharedWord } from './lmdb.ts'
import type { Lmdb } from './lmdb.ts'
import type { ReadOptions } from './lmdb-types.ts'
import type { Readers } from './readers.ts'

type Listener = (changes: readonly Change[]) => void

/** Changes, and those who listened when they were made. */
interface Delivery {
  readonly changes: readonly Change[]
  readonly listeners: readonly Listener[]
}

/** Changes that are read from the log, in one piece. */
interface Missed {
  readonly changes: readonly Change[]
  /**
   * Number of the last one that is to be handed out now. What comes while the others are is told by itself: else threads that
   * go on to write would keep this one from all else.
   */
  readonly end: number
}

/** So many changes are read at a time, so that no thread holds a whole log because it was busy for a while, */
const PART_MAX_CHANGES = 1000
/** or as few as have so many bytes. */
const PART_MAX_BYTES = 1024 * 1024

/** After so many milliseconds changes are looked for again that could not be read. */
const RETRY_MS = 50

/** Hands the changes of all threads to the listeners of this one, in order and each once. */
export class ChangeFeed {
  readonly #lmdb: Lmdb
  readonly #log: ChangeLog
  readonly #readers: Readers
  readonly #listeners = new Set<Listener>()
  /** What was handed out last. Means something only while somebody listens. */
  #delivered = 0
  /** Of commits that a listener itself made, which the other listeners get after this one. */
  #waiting: Delivery[] | undefined
  #retry: NodeJS.Timeout | undefined

  constructor(lmdb: Lmdb, log: ChangeLog, readers: Readers) {
    this.#lmdb = lmdb
    this.#log = log
    this.#readers = readers
  }

  subscribe(listener: Listener): () => void {
    // A function of its own, so that one listener may subscribe twice.
    const entry: Listener = (changes) => {
      listener(changes)
    }
    if (this.#listeners.size === 0) this.#begin()
    this.#listeners.add(entry)
    return () => {
      if (this.#listeners.delete(entry) && this.#listeners.size === 0) this.#end()
    }
  }

  /** Hands out what this thread has just committed, and what others committed before it. */
  publish(changes: readonly Change[]): void {
    const [first] = changes
    if (this.#listeners.size === 0 || first === undefined) return
    if (first.sequence === this.#delivered + 1) this.#deliver(changes)
    else this.catchUp()
  }

  /** Hands out what was committed since, from the log. */
  catchUp(): void {
    let end = Infinity
    while (this.#listeners.size > 0 && this.#delivered < end) {
      const missed = this.#missed()
      if (missed.changes.length === 0) return
      end = Math.min(end, missed.end)
      this.#deliver(missed.changes)
    }
  }

  #missed(): Missed {
    try {
      const reader = this.#readers.acquire()
      try {
        return this.#read(reader.options)
      } finally {
        this.#readers.release(reader)
      }
    } catch {
      // The commit was answered, so this is nobody's error. There may be no other that would have them read.
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined
        this.catchUp()
      }, RETRY_MS).unref()
      return { changes: [], end: 0 }
    }
  }

  #read(options: ReadOptions): Missed {
    const changes: Change[] = []
    let bytes = 0
    try {
      using cursor = this.#log.cursorAfter(this.#delivered, options)
      while (cursor.next()) {
        if (changes.length >= PART_MAX_CHANGES || bytes >= PART_MAX_BYTES) {
          return { changes, end: this.#log.position(options).sequence }
        }
        const { change } = cursor
        if (changes.length === 0 && change.sequence !== this.#delivered + 1) {
          changes.push(this.#log.lost(change.sequence - 1, change.time))
        }
        changes.push(change)
        bytes += cursor.bytes
      }
      return { changes, end: 0 }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      // It will never be read, so that those behind it would not be, either.
      if (changes.length === 0) changes.push(this.#log.damaged(this.#delivered, options))
      return { changes, end: Infinity }
    }
  }

  close(): void {
    if (this.#listeners.size > 0) this.#end()
    this.#listeners.clear()
  }

  #begin(): void {
    // Before the position is read, so that no commit falls between the two.
    Atomics.add(this.#lmdb.shared, SharedWord.listeners, 1)
    try {
      this.#delivered = this.#newest()
    } catch (error) {
      this.#end()
      throw error
    }
  }

  #newest(): number {
    const reader = this.#readers.acquire()
    try {
      return this.#log.position(reader.options).sequence
    } finally {
      this.#readers.release(reader)
    }
  }

  #end(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    Atomics.sub(this.#lmdb.shared, SharedWord.listeners, 1)
  }

  #deliver(changes: readonly Change[]): void {
    this.#delivered = changes.at(-1)!.sequence
    // A listener that is added later has not asked for what came before it.
    const delivery = { changes, listeners: [...this.#listeners] }
    if (this.#waiting !== undefined) {
      this.#waiting.push(delivery)
      return
    }
    this.#waiting = [delivery]
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      for (const listener of next.listeners) {
        if (this.#listeners.has(listener)) notify(listener, next.changes)
      }
    }
    this.#waiting = undefined
  }
}

/** A listener that throws is its owner's fault: neither the writer nor the others suffer for it. */
function notify(listener: Listener, changes: readonly Change[]): void {
  try {
    listener(changes)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
