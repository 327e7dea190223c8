import { Refusal } from '../refusal.ts'
import type { Timers } from './timers.ts'

/** Readings at one time, of all topics. */
export const maxReadings = 32

/** How long to wait before a reading that failed is tried again, and how often, in milliseconds. */
const retryDelaysMs = [50, 250, 1000] as const

/** How long to wait where too much is being read, in milliseconds. */
export const busyDelayMs = 100

/** What is to be read, so much of it at one time, and again where that fails. */
export class ReadingQueue<T> {
  readonly #timers: Timers
  readonly #onEnd: () => void
  /** What is read for somebody once, and what is read again. */
  readonly #waiting: readonly [Set<T>, Set<T>] = [new Set(), new Set()]
  /** Which of these has its turn. */
  #turn: 0 | 1 = 0
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
    this.#waiting[0].add(next)
  }

  /** The same for what may take long, and comes again and again: it keeps the others waiting no longer than one of them. */
  addAgain(next: T): void {
    this.#waiting[1].add(next)
  }

  /**
   * Begins with what waits, of both kinds in turn and each in order, but for what may not begin yet. What comes meanwhile
   * waits for the next time.
   */
  begin(mayBegin: (next: T) => boolean, begin: (next: T) => void): void {
    if (this.#running >= maxReadings) return
    const left = this.#waiting.map((waiting) => those(Array.from(waiting), mayBegin))
    for (let empty = 0; empty < 2 && this.#running < maxReadings;) {
      const turn = this.#turn
      this.#turn = turn === 0 ? 1 : 0
      const { value: next, done } = left[turn]!.next()
      if (done === true) {
        empty++
        continue
      }
      empty = 0
      this.#waiting[turn].delete(next)
      begin(next)
    }
  }

  /** Calls `work` until it succeeds, or fails once too often. A refusal stays one, unless there is too much to do. */
  async run<R>(work: () => Promise<R>): Promise<R> {
    this.#running++
    try {
      for (let failures = 0; ;) {
        try {
          return await work()
        } catch (error) {
          const isBusy = error instanceof Refusal && error.status === 503
          const delayMs = isBusy ? busyDelayMs : delayOf(error, failures++)
          if (delayMs === undefined || this.#isClosed) throw error
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

function delayOf(error: unknown, failures: number): number | undefined {
  return error instanceof Refusal ? undefined : retryDelaysMs[failures]
}

function* those<T>(items: Iterable<T>, isWanted: (item: T) => boolean): Generator<T, void, void> {
  for (const item of items) if (isWanted(item)) yield item
}
