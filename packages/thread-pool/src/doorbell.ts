// One word that all threads of a pool ring, and that the pool sleeps on, however many threads there are.
//
// A wake-up cannot be lost: the pool stores `asleep`, then looks at the rings; a thread stores its record, then looks
// at `asleep`. Atomics are sequentially consistent, so at least one of them sees the other's store. If the thread
// rings between the pool's look and its wait, the sequence has moved on and the wait returns at once.
// Only one wait is pending at a time: an abandoned `waitAsync` could not be taken back.
const sequence = 0
const asleep = 1

/** The sleeping side: the thread that owns the pool. */
export class Doorbell {
  readonly buffer: SharedArrayBuffer
  readonly #words: Int32Array
  readonly #wake: () => void
  #waiting = false

  constructor(wake: () => void) {
    this.buffer = new SharedArrayBuffer(64)
    this.#words = new Int32Array(this.buffer)
    this.#wake = wake
  }

  /**
   * Calls `wake` once somebody has rung. Does not keep the process alive.
   * @param isIdle looks again whether there is nothing to do
   * @returns false if there is something to do, so that nothing was begun
   */
  sleep(isIdle: () => boolean): boolean {
    const seen = Atomics.load(this.#words, sequence)
    Atomics.store(this.#words, asleep, 1)
    if (!isIdle()) {
      Atomics.store(this.#words, asleep, 0)
      return false
    }
    if (this.#waiting) return true
    const wait = Atomics.waitAsync(this.#words, sequence, seen)
    if (!wait.async) return false
    this.#waiting = true
    void this.#await(wait.value)
    return true
  }

  /** Nobody needs to ring before the next `sleep`. */
  stayAwake(): void {
    Atomics.store(this.#words, asleep, 0)
  }

  async #await(wait: Promise<unknown>): Promise<void> {
    await wait
    this.#waiting = false
    this.#wake()
  }

  /** Ends a pending wait, so that nothing refers to the buffer any more. */
  ring(): void {
    ringDoorbell(this.#words)
  }
}

/** The ringing side, called after each published record: an atomic load when nobody sleeps. */
export function ringDoorbell(words: Int32Array): void {
  if (Atomics.load(words, asleep) === 0) return
  if (Atomics.compareExchange(words, asleep, 1, 0) !== 1) return
  Atomics.add(words, sequence, 1)
  Atomics.notify(words, sequence)
}
