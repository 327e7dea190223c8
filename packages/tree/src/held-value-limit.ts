import { TreeError } from './errors.ts'
import type { TextPlace } from './tokenizer.ts'

/** What is held of a value without being counted, in bytes of memory. Each further so many count as one more value. */
const bytesOfValue = 1000

/**
 * How many server values there may be, and members of updates, in what one or several builders read. A large one counts as
 * several: for each 1,000 bytes of memory that it takes as one more.
 */
export class HeldValueLimit {
  readonly maximum: number
  readonly #onAdd: (count: number) => void
  #count = 0

  /** @param onAdd Called with how many there are more. What it throws ends the reading. */
  constructor(maximum: number, onAdd: (count: number) => void = () => {}) {
    this.maximum = maximum
    this.#onAdd = onAdd
  }

  /** Counts one more. @throws {TreeError} `ERR_TOO_MANY_VALUES` */
  add(at: TextPlace): void {
    this.#add(1, at)
  }

  /** Counts what one of them takes. @throws {TreeError} `ERR_TOO_MANY_VALUES` */
  addBytes(bytes: number, at: TextPlace): void {
    if (bytes >= bytesOfValue) this.#add(Math.floor(bytes / bytesOfValue), at)
  }

  #add(count: number, { line, column }: TextPlace): void {
    this.#count += count
    if (this.#count > this.maximum) {
      throw new TreeError(
        'ERR_TOO_MANY_VALUES',
        `Invalid data at ${line}:${column}: more than ${this.maximum} members of an update and server values, with one more for each ${bytesOfValue} bytes of memory that they take`,
        { line, column },
      )
    }
    this.#onAdd(count)
  }
}
