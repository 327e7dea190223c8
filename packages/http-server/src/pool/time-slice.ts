import { setImmediate } from 'node:timers/promises'

/** How long a thread works at one large answer before others have a turn, in milliseconds. */
const sliceMs = 1

/** Leave to work, which several threads share. */
interface Permits {
  /** Resolves when there is one. */
  take(): Promise<void>
  give(): void
  /** Lets those be first that wait for one. */
  giveWay(): Promise<void>
}

/**
 * Cuts long work into slices, between which the thread does what else it has to. With permits, the work is
 * what lies between {@link begin} and {@link end}: it has one then.
 */
export class TimeSlice {
  readonly #check: () => void
  readonly #permits: Permits | undefined
  #hasPermit = false
  #end = performance.now() + sliceMs

  /** @param check Called after each slice; may throw to end the work. */
  constructor(check: () => void, permits?: Permits) {
    this.#check = check
    this.#permits = permits
  }

  /** To be called between two small steps: returns at once until the slice is over. */
  readonly rest = async (): Promise<void> => {
    if (performance.now() < this.#end) return
    this.end()
    await setImmediate()
    await this.#permits?.giveWay()
    await this.begin()
    this.#end = performance.now() + sliceMs
    this.#check()
  }

  async begin(): Promise<void> {
    await this.#permits?.take()
    this.#hasPermit = this.#permits !== undefined
  }

  end(): void {
    if (this.#hasPermit) this.#permits?.give()
    this.#hasPermit = false
  }

  /** Waits for what is no work. */
  async aside(waiting: Promise<void>): Promise<void> {
    this.end()
    await waiting
    await this.begin()
  }
}
