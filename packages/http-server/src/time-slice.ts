import { setImmediate } from 'node:timers/promises'

/** Cuts long work into slices, between which the thread does what else it has to. */
export class TimeSlice {
  readonly #sliceMs: number
  readonly #check: () => void
  #end: number

  /**
   * @param sliceMs How long the thread works before others have a turn.
   * @param check Called after each slice; may throw to end the work.
   */
  constructor(sliceMs: number, check: () => void = () => {}) {
    this.#sliceMs = sliceMs
    this.#check = check
    this.#end = performance.now() + sliceMs
  }

  /** To be called between two small steps: returns at once until the slice is over. */
  readonly rest = async (): Promise<void> => {
    if (performance.now() < this.#end) return
    await this.pause()
    this.#end = performance.now() + this.#sliceMs
    this.#check()
  }

  /** Gives others their turn. */
  protected async pause(): Promise<void> {
    await setImmediate()
  }
}

/** A slice of work between which small requests have their turn, in milliseconds. */
export const shortSliceMs = 1
