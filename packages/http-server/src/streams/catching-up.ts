import type { Subscriber } from './topic.ts'

/**
 * Those of one client who have to be brought up to date, one after the other: what is read for several at once would be
 * thrown away as soon as the first of them has filled what may wait for the client, and be read again. Who needs a value
 * in blocks waits here without anything in memory.
 */
export class CatchingUp {
  /** Who has to be read for. */
  readonly #behind = new Set<Subscriber>()
  /** Who has to be sent a value in blocks. */
  readonly #large = new Set<Subscriber>()
  /** Who has its turn. */
  #current: Subscriber | undefined
  #isOpening = false
  #isDelayed = false
  #wasLarge = false

  addBehind(subscriber: Subscriber): void {
    this.#behind.add(subscriber)
  }

  addLarge(subscriber: Subscriber): void {
    this.#large.add(subscriber)
    if (this.#current === subscriber) this.#current = undefined
  }

  /** Somebody has gone, or is being read for. */
  delete(subscriber: Subscriber): void {
    this.#behind.delete(subscriber)
    this.#large.delete(subscriber)
  }

  /** Whether somebody waits for its turn. */
  get isAwaited(): boolean {
    return this.#behind.size + this.#large.size > 0
  }

  /** Whether somebody has its turn. */
  get isUnderWay(): boolean {
    return this.#isOpening || this.#current?.state === 'reading'
  }

  /** Who has its turn now; `undefined` while somebody has it. Of both kinds in turn, where there are both. */
  next(): { readonly subscriber: Subscriber; readonly isLarge: boolean } | undefined {
    if (this.isUnderWay) return undefined
    const behind = firstOf(this.#behind)
    const large = this.#isDelayed ? undefined : firstOf(this.#large)
    const isLarge = large !== undefined && (behind === undefined || !this.#wasLarge)
    const subscriber = isLarge ? large : behind
    if (subscriber === undefined) return undefined
    this.delete(subscriber)
    this.#current = subscriber
    this.#isOpening = isLarge
    this.#wasLarge = isLarge
    return { subscriber, isLarge }
  }

  /** A value in blocks has left, or could not be opened. */
  endLarge(): void {
    this.#isOpening = false
    this.#current = undefined
  }

  /** Has no value in blocks opened for the client for a while, and that of this one behind those that wait already. */
  delayLarge(subscriber: Subscriber): void {
    this.#isDelayed = true
    this.#large.add(subscriber)
  }

  endDelay(): void {
    this.#isDelayed = false
  }
}

function firstOf<T>(set: ReadonlySet<T>): T | undefined {
  for (const one of set) return one
  return undefined
}
