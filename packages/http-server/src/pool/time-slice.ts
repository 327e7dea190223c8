import { setImmediate } from 'node:timers/promises'

/** How long a thread works at one large answer before others have a turn, in milliseconds. */
const sliceMs = 1

/** Cuts long work into slices, between which the thread does what else it has to. */
export class TimeSlice {
  readonly #check: () => void
  #end = performance.now() + sliceMs

  /** @param check Called after each slice; may throw to end the work. */
  constructor(check: () => void) {
    this.#check = check
  }

  /** To be called between two small steps: returns at once until the slice is over. */
  readonly rest = async (): Promise<void> => {
    if (performance.now() < this.#end) return
    await setImmediate()
    this.#end = performance.now() + sliceMs
    this.#check()
  }
}
