// Sleeping until something may have changed, for threads that can block.
//
// An event count is a SEQUENCE word and a bit for each participant that sleeps on it. To sleep:
//
//   1. set the own bit, then load SEQUENCE
//   2. look whether there is something to do after all
//   3. wait while SEQUENCE is what was loaded
//
// To wake, after having changed something: load the bits; if there are any, add 1 to SEQUENCE, then notify.
//
// No wake-up is lost: if the waker sees no bit, it loaded before 1, so its change was before 2, which finds it.
// If it sees the bit, SEQUENCE moves: before 3 the wait does not begin, after 3 it is notified. When
// SEQUENCE runs over 2^32 a sleeper would have to be caught between 1 and 3 by exactly 2^32 wake-ups.
//
// A participant has one bit for an event count, and so one sleep on it at a time. A thread with a pending `waitAsync` that
// is about to block ends that one first, by waking everybody: as long as the thread blocks, nobody there
// could act on a wake-up, and the oldest sleeper gets it. Its bit may then be taken back: what has been woken is sure to
// look again, when the thread runs on, and announces itself anew.
//
// A waker wakes one sleeper. Whoever was woken and leaves something behind for another wakes the next
// (I6 in layout.ts), so one wake-up reaches as many as there is work for.
import { LINE, wordAt } from './layout.ts'
import type { Layout } from './layout.ts'

/** Something to sleep for: an event count and the condition whose change it tells. */
export interface Need {
  readonly events: EventCount
  /** How often a spin may look, where `ready` takes more than a few loads. At least 1. */
  readonly maxLooks?: number
  /** Whether it is worth a try now. A few loads, no effects. */
  ready(): boolean
}

/** The event counts of a queue, by number: SPACE + band for the last ones. */
export const ITEMS = 0
export const BLOCKS = 1
export const SPACE = 2

/**
 * The longest sleep without a look. It is an insurance for queues whose dead participants nobody reaps: one can
 * die with a wake-up that was meant to be passed on.
 */
export const MAX_SLEEP_MS = 10_000

/** One participant's view of one event count. */
export class EventCount {
  readonly #words: Int32Array
  readonly #sequence: number
  readonly #sleepers: number
  readonly #spinners: number
  readonly #bitmapWords: number
  readonly #myWord: number
  readonly #myBit: number
  /** Whether a `waitAsync` of this participant needs the bit. */
  #sleepsAsync = false

  constructor(words: Int32Array, layout: Layout, number: number, participant: number) {
    this.#words = words
    this.#sequence = layout.eventCounts + number * layout.eventCountWords
    this.#sleepers = this.#sequence + LINE
    this.#spinners = this.#sleepers + (layout.eventCountWords - LINE) / 2
    this.#bitmapWords = layout.maxParticipants / 32
    this.#myWord = participant >>> 5
    this.#myBit = 1 << (participant & 31)
  }

  get hasSleepers(): boolean {
    // One word unless the queue was made for more than 32 threads.
    for (let i = 0; i < this.#bitmapWords; i++) {
      if (Atomics.load(this.#words, this.#sleepers + i) !== 0) return true
    }
    return false
  }

  /** Wakes one sleeper, if there is any. */
  wakeOne(): void {
    if (!this.hasSleepers) return
    Atomics.add(this.#words, this.#sequence, 1)
    Atomics.notify(this.#words, this.#sequence, 1)
  }

  /** Wakes whoever sleeps. */
  wakeAll(): void {
    if (!this.hasSleepers) return
    Atomics.add(this.#words, this.#sequence, 1)
    Atomics.notify(this.#words, this.#sequence)
  }

  /**
   * Step 1. Its result goes into `sleep` or `sleepAsync`; `leave` comes after them, or instead. Ends a
   * `sleepAsync` of before, see above.
   */
  announce(): number {
    if (this.#sleepsAsync) {
      this.#sleepsAsync = false
      this.wakeAll()
    }
    Atomics.or(this.#words, this.#sleepers + this.#myWord, this.#myBit)
    return Atomics.load(this.#words, this.#sequence)
  }

  /** Step 3. */
  sleep(sequence: number, timeoutMs: number): void {
    Atomics.wait(this.#words, this.#sequence, sequence, timeoutMs)
  }

  /** Step 3 without blocking. `undefined`: SEQUENCE has moved, there is nothing to wait for. */
  sleepAsync(sequence: number): Promise<unknown> | undefined {
    const result = Atomics.waitAsync(this.#words, this.#sequence, sequence)
    if (!result.async) return undefined
    this.#sleepsAsync = true
    return result.value
  }

  /** Takes the bit back. */
  leave(): void {
    this.#sleepsAsync = false
    Atomics.and(this.#words, this.#sleepers + this.#myWord, ~this.#myBit)
  }

  /** Asks to be one of at most `max` participants that spin on this event count. */
  enterSpin(max: number): boolean {
    const others = Atomics.or(this.#words, this.#spinners + this.#myWord, this.#myBit)
    let spinning = countBits(others)
    for (let i = 0; i < this.#bitmapWords; i++) {
      if (i !== this.#myWord) spinning += countBits(wordAt(this.#words, this.#spinners + i))
    }
    if (spinning < max) return true
    this.leaveSpin()
    return false
  }

  leaveSpin(): void {
    Atomics.and(this.#words, this.#spinners + this.#myWord, ~this.#myBit)
  }

  /** Takes back the bits of a dead participant, whose own view nobody has. */
  forget(participant: number): void {
    const word = participant >>> 5
    const bit = 1 << (participant & 31)
    Atomics.and(this.#words, this.#sleepers + word, ~bit)
    Atomics.and(this.#words, this.#spinners + word, ~bit)
  }
}

export function eventCountsOf(
  words: Int32Array,
  layout: Layout,
  participant: number,
): EventCount[] {
  return Array.from(
    { length: SPACE + layout.bands },
    (_, number) => new EventCount(words, layout, number, participant),
  )
}

function countBits(word: number): number {
  let count = 0
  for (let rest = word; rest !== 0; rest &= rest - 1) count++
  return count
}
