import { Refusal } from '../refusal.ts'
import type { Timers } from './timers.ts'

/** Readings at one time, of all topics. */
const maxReadings = 32

/** How long to wait before a reading that failed is tried again, and how often, in milliseconds. */
const retryDelaysMs = [50, 250, 1000] as const

/** What is to be read, so much of it at one time, and again where that fails. */
export class ReadingQueue<T> {
  readonly #timers: Timers
  readonly #onEnd: () => void
  readonly #waiting = new Set<T>()
  #running = 0
  #isClosed = false

  /** @param onEnd Called when a reading has ended: others may begin. */
  constructor(timers: Timers, onEnd: () => void) {
    this.#timers = timers
    this.#onEnd = onEnd
  }

  /** Whether nothing is being read. */
  get isIdle(): boolean {
    return this.#running === 0
  }

  add(next: T): void {
    this.#waiting.add(next)
  }

  /** Begins with what waits, in order, but for what may not begin yet. What comes meanwhile waits for the next time. */
  begin(mayBegin: (next: T) => boolean, begin: (next: T) => void): void {
    if (this.#running >= maxReadings) return
    const all = Array.from(this.#waiting)
    for (const next of all) {
      if (!mayBegin(next)) continue
      this.#waiting.delete(next)
      begin(next)
      if (this.#running >= maxReadings) return
    }
  }

  /** Calls `work` until it succeeds, or once too often. A refusal stays one. */
  async run<R>(work: () => Promise<R>): Promise<R> {
    this.#running++
    try {
      for (let attempt = 0; ; attempt++) {
        try {
          return await work()
        } catch (error) {
          const delayMs = retryDelaysMs[attempt]
          const isFinal = delayMs === undefined || this.#isClosed || error instanceof Refusal
          if (isFinal) throw error
          await new Promise<void>((resolve) => this.#timers.later(delayMs, resolve))
        }
      }
    } finally {
      this.#running--
      this.#onEnd()
    }
  }

  /** Tries nothing again. */
  close(): void {
    this.#isClosed = true
  }
}
