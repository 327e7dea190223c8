import { targetKey } from './stream-target.ts'
import type { StreamTarget } from './stream-target.ts'
import { TurnQueue } from './turn-queue.ts'

/** Reads what streams would show as a whole, to see whether they may: a few at one time, and once for all who ask for the same meanwhile. */
export class WholeChecks {
  readonly #read: (target: StreamTarget) => Promise<unknown>
  readonly #checks = new Map<string, Promise<void>>()
  readonly #queue = new TurnQueue<() => Promise<void>>((begin) => begin())

  /** @param read Rejects where the whole may not be shown. */
  constructor(read: (target: StreamTarget) => Promise<unknown>) {
    this.#read = read
  }

  /** Rejects as the reading does. */
  check(target: StreamTarget): Promise<void> {
    const key = targetKey(target)
    let check = this.#checks.get(key)
    if (check === undefined) {
      check = this.#begin(target).finally(() => this.#checks.delete(key))
      this.#checks.set(key, check)
    }
    return check
  }

  #begin(target: StreamTarget): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#queue.add(async () => {
      try {
        await this.#read(target)
        resolve()
      } catch (error) {
        reject(error)
      }
    })
    this.#queue.run()
    return promise
  }
}
