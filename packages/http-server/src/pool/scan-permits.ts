// Permits to work at a large answer. While small answers are wanted there is one less than readers, so that one of them
// has always time for those; else there are as many. A reader holds one for a slice of work at most, and never while
// it waits for anything else.
//
// A thread that dies with a permit can't give it back. So each permit is a word that says who holds it, taken and given
// by one instruction, and the server frees those of threads that have ended.

import { changed } from './changed.ts'

/** The words in front of the permits. */
const Word = {
  /** How many permits count. Written by the server only. */
  Count: 0,
  /** Grows when a permit may have become free. Who waits for one sleeps on it. */
  Freed: 1,
  /** Grows when one was taken. */
  Taken: 2,
  /** 1 when a thread waits for one in vain, until another has given way. */
  Wanted: 3,
} as const
const firstPermit = 4

const free = 0

// For so long behind a small answer another one is expected, in milliseconds.
const expectMs = 1000

// How long who gives way waits at most: a thread that waited may have died.
const giveWayMs = 2

/** @param maxThreads Readers at most. */
export function createPermits(maxThreads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * (firstPermit + maxThreads))
}

/** The permits as a reader sees them. It has one at most, for all large answers that it works at. */
export class ScanPermits {
  readonly #words: Int32Array
  readonly #owner: number
  #permit = 0
  #users = 0

  /** @param thread Number of the reader among those of its pool. */
  constructor(buffer: SharedArrayBuffer, thread: number) {
    this.#words = new Int32Array(buffer)
    this.#owner = thread + 1
  }

  /** Resolves when the thread has a permit, until as many calls of {@link give}. */
  async take(): Promise<void> {
    for (;;) {
      const seen = Atomics.load(this.#words, Word.Freed)
      if (this.#users > 0 || this.#tryTake()) break
      Atomics.store(this.#words, Word.Wanted, 1)
      await changed(this.#words, Word.Freed, seen)
    }
    this.#users++
  }

  give(): void {
    if (--this.#users > 0) return
    Atomics.store(this.#words, this.#permit, free)
    announce(this.#words)
  }

  /** Lets another thread be first that waits for a permit, if one does. For who has given one and wants one again. */
  async giveWay(): Promise<void> {
    const seen = Atomics.load(this.#words, Word.Taken)
    if (Atomics.exchange(this.#words, Word.Wanted, 0) === 0) return
    await changed(this.#words, Word.Taken, seen, giveWayMs)
  }

  #tryTake(): boolean {
    const end = firstPermit + Atomics.load(this.#words, Word.Count)
    for (let permit = firstPermit; permit < end; permit++) {
      if (Atomics.compareExchange(this.#words, permit, free, this.#owner) !== free) continue
      this.#permit = permit
      Atomics.add(this.#words, Word.Taken, 1)
      Atomics.notify(this.#words, Word.Taken)
      return true
    }
    return false
  }
}

/** The permits as the server sees them, which knows what threads there are. */
export class PermitOffice {
  readonly #words: Int32Array
  readonly #threads = new Set<number>()
  /** Whether a thread is kept free. */
  #isExpecting = false
  #hasSeenSmall = false

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer)
    this.#count()
  }

  /** A reader is ready. */
  add(thread: number): void {
    this.#threads.add(thread)
    this.#count()
  }

  /** A reader has ended, whatever it had in hand. */
  remove(thread: number): void {
    this.#threads.delete(thread)
    for (let permit = firstPermit; permit < this.#words.length; permit++) {
      Atomics.compareExchange(this.#words, permit, thread + 1, free)
    }
    this.#count()
  }

  /** A small answer was given. */
  noteSmall(): void {
    this.#hasSeenSmall = true
    if (!this.#isExpecting) this.#expect()
  }

  #expect(): void {
    const hasBegun = !this.#isExpecting
    this.#isExpecting = this.#hasSeenSmall
    this.#hasSeenSmall = false
    if (this.#isExpecting) setTimeout(() => this.#expect(), expectMs).unref()
    if (hasBegun || !this.#isExpecting) this.#count()
  }

  #count(): void {
    const kept = this.#isExpecting ? 1 : 0
    // A thread that has ended may still be among them when the next one is ready.
    const most = this.#words.length - firstPermit
    const count = Math.min(most, Math.max(1, this.#threads.size - kept))
    Atomics.store(this.#words, Word.Count, count)
    announce(this.#words)
  }
}

function announce(words: Int32Array): void {
  Atomics.add(words, Word.Freed, 1)
  Atomics.notify(words, Word.Freed)
}
