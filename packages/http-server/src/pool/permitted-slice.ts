import { shortSliceMs, TimeSlice } from '../time-slice.ts'

/** Leave to work, which several threads share. */
interface Permits {
  /** Resolves when there is one. */
  take(): Promise<void>
  give(): void
  /** Lets those be first that wait for one. */
  giveWay(): Promise<void>
}

/**
 * Slices of work that needs a permit, where there are permits: it has one between {@link begin} and
 * {@link end}, but not while it pauses.
 */
export class PermittedSlice extends TimeSlice {
  readonly #permits: Permits | undefined
  #hasPermit = false

  /** @param check Called after each slice; may throw to end the work. */
  constructor(check: () => void, permits?: Permits) {
    super(shortSliceMs, check)
    this.#permits = permits
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

  protected override async pause(): Promise<void> {
    this.end()
    await super.pause()
    await this.#permits?.giveWay()
    await this.begin()
  }
}
