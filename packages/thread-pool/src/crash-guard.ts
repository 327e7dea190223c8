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
 *
 * Starts that fail are deaths as well, unless there are threads enough without them. Tasks that other threads get done say
 * nothing about the next start, though, so that those in a row are counted besides.
 */
export class CrashGuard {
  readonly #limits: CrashLimits
  #state: BreakerState = 'closed'
  #deaths = 0
  #failedStarts = 0
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

  /** Starts that have failed since a thread was ready for tasks, or left room for another by its death. */
  get failedStarts(): number {
    return this.#failedStarts
  }

  /** Why the last thread died. */
  get lastError(): unknown {
    return this.#lastError
  }

  /** A thread is ready for tasks. */
  started(): void {
    this.#hasEverStarted = true
    this.#failedStarts = 0
  }

  /** A task was done. @returns whether that has closed the breaker */
  progressed(): boolean {
    this.#deaths = 0
    if (this.#state === 'closed') return false
    this.#state = 'closed'
    return true
  }

  /**
   * A thread that was ready died unasked.
   * @returns milliseconds until a replacement is due, or `open` if there is none before {@link CrashGuard.retry}
   */
  died(error: unknown): number | 'open' {
    this.#failedStarts = 0
    return this.#count(error)
  }

  /**
   * A thread did not start.
   * @param isNeeded Whether there are fewer than always have to be. One more than that is no reason to open the breaker.
   * @returns the same as {@link CrashGuard.died}
   */
  failed(error: unknown, isNeeded: boolean): number | 'open' {
    this.#failedStarts++
    if (isNeeded) return this.#count(error)
    this.#lastError = error
    return this.#delay()
  }

  #count(error: unknown): number | 'open' {
    this.#lastError = error
    this.#deaths++
    // A module that never loaded will not load by being tried again.
    const isHopeless = !this.#hasEverStarted
    if (this.#state !== 'closed' || isHopeless || this.#deaths >= this.#limits.crashLoopLimit) {
      this.#state = 'open'
      return 'open'
    }
    return this.#delay()
  }

  #delay(): number {
    const inRow = Math.max(this.#deaths, this.#failedStarts)
    if (inRow <= 1) return 0
    return Math.min(firstDelayMs * 2 ** (inRow - 2), longestDelayMs)
  }

  /** The pause is over. */
  retry(): void {
    if (this.#state === 'open') this.#state = 'trying'
  }
}
