// What follows the death of a thread: a replacement at once, later, or none for a while.

/** The bounds. */
export interface CrashLimits {
  /** Deaths in a row that open the breaker. */
  crashLoopLimit: number
  /** How long it stays open, in milliseconds. */
  crashLoopPauseMs: number
}

/** `closed`: threads are replaced. `open`: they are not. `trying`: some are started, to see whether they live. */
export type BreakerState = 'closed' | 'open' | 'trying'

const firstDelayMs = 10
const longestDelayMs = 5000

/**
 * Counts deaths without a task done in between.
 *
 *     closed --limit deaths in a row--> open --pause over--> trying --a task is done--> closed
 *     closed --first start failed-----> open <--a death----- trying
 */
export class CrashGuard {
  readonly #limits: CrashLimits
  #state: BreakerState = 'closed'
  #deaths = 0
  #hasEverStarted = false
  #lastError: unknown

  constructor(limits: CrashLimits) {
    this.#limits = limits
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Deaths in a row. */
  get deaths(): number {
    return this.#deaths
  }

  /** Why the last thread died. */
  get lastError(): unknown {
    return this.#lastError
  }

  /** A thread is ready for tasks. */
  started(): void {
    this.#hasEverStarted = true
  }

  /** A task was done. @returns whether that has closed the breaker */
  progressed(): boolean {
    this.#deaths = 0
    if (this.#state === 'closed') return false
    this.#state = 'closed'
    return true
  }

  /**
   * A thread died unasked, or did not start.
   * @returns milliseconds until a replacement is due, or `open` if there is none before {@link CrashGuard.retry}
   */
  died(error: unknown): number | 'open' {
    this.#lastError = error
    this.#deaths++
    // A module that never loaded will not load by being tried again.
    const isHopeless = !this.#hasEverStarted
    if (this.#state !== 'closed' || isHopeless || this.#deaths >= this.#limits.crashLoopLimit) {
      this.#state = 'open'
      return 'open'
    }
    if (this.#deaths === 1) return 0
    return Math.min(firstDelayMs * 2 ** (this.#deaths - 2), longestDelayMs)
  }

  /** The pause is over. */
  retry(): void {
    if (this.#state === 'open') this.#state = 'trying'
  }
}
