import type { Change } from '@elkyn/tree'
import type { ChangeLog } from './change-log.ts'
import { SharedWord } from './lmdb.ts'
import type { Lmdb } from './lmdb.ts'
import type { Readers } from './readers.ts'

type Listener = (changes: readonly Change[]) => void

/** Changes, and those who listened when they were made. */
interface Delivery {
  readonly changes: readonly Change[]
  readonly listeners: readonly Listener[]
}

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
    if (this.#listeners.size === 0) return
    let changes = this.#missed()
    const [first] = changes
    if (first === undefined) return
    if (first.sequence !== this.#delivered + 1) {
      changes = [this.#log.lost(first.sequence - 1, first.time), ...changes]
    }
    this.#deliver(changes)
  }

  #missed(): Change[] {
    try {
      const reader = this.#readers.acquire()
      try {
        return [...this.#log.changesAfter(this.#delivered, reader.options)]
      } finally {
        this.#readers.release(reader)
      }
    } catch {
      // The commit was answered, so this is nobody's error. They are read after the next one.
      return []
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
