import { TreeError } from './errors.ts'
import type { TextPlace } from './tokenizer.ts'

/** How many server values there may be, and members of updates, in what one or several builders read. */
export class HeldValueLimit {
  readonly maximum: number
  readonly #onAdd: () => void
  #count = 0

  /** @param onAdd Called for each. What it throws ends the reading. */
  constructor(maximum: number, onAdd: () => void = () => {}) {
    this.maximum = maximum
    this.#onAdd = onAdd
  }

  /** Counts one more. @throws {TreeError} `ERR_TOO_MANY_VALUES` */
  add({ line, column }: TextPlace): void {
    if (++this.#count > this.maximum) {
      throw new TreeError(
        'ERR_TOO_MANY_VALUES',
        `Invalid data at ${line}:${column}: more than ${this.maximum} members of an update and server values`,
        { line, column },
      )
    }
    this.#onAdd()
  }
}
