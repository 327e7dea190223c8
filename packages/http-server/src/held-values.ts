import { HeldValueLimit } from '@elkyn/tree'
import { Refusal } from './refusal.ts'

/** All bodies together may have so many times what one may have. */
const bodies = 10

/** Counts what is held of all large bodies that are taken at one time: members of updates, and server values. */
export class HeldValues {
  readonly #maxOfBody: number
  readonly #maximum: number
  #held = 0

  /** @param maxOfBody Most of one body. */
  constructor(maxOfBody: number) {
    this.#maxOfBody = maxOfBody
    this.#maximum = maxOfBody * bodies
  }

  /** Counts those of a body until that is disposed of. */
  begin(): HeldBody {
    return new HeldBody(this.#maxOfBody, (count) => this.#add(count))
  }

  #add(count: number): void {
    if (this.#held + count > this.#maximum) {
      throw new Refusal(503, 'The server is busy: Too many values arrive at once', [
        'Retry-After',
        '1',
      ])
    }
    this.#held += count
  }
}

/** Those of one body. */
export class HeldBody implements Disposable {
  readonly limit: HeldValueLimit
  readonly #add: (count: number) => void
  #count = 0

  /** @param add Counts so many more, or less, of all. */
  constructor(maximum: number, add: (count: number) => void) {
    this.#add = add
    this.limit = new HeldValueLimit(maximum, (count) => {
      add(count)
      this.#count += count
    })
  }

  [Symbol.dispose](): void {
    this.#add(-this.#count)
    this.#count = 0
  }
}
