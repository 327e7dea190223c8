export interface RestartPolicyOptions {
  /** A run that ends sooner than this is a quick one. Default: 10000. */
  readonly quickMs?: number
  /** After so many quick runs in a row it is given up. Default: 10. */
  readonly maxQuickRuns?: number
  /** Pause behind the second quick run; it doubles with each further one. Default: 100. */
  readonly pauseMs?: number
  /** The longest pause. Default: 5000. */
  readonly maxPauseMs?: number
}

/**
 * Says when a program that crashed is started again: at once when it had run for a while, later and
 * later when it crashes again and again, and at last no more.
 */
export class RestartPolicy {
  readonly quickMs: number
  readonly maxQuickRuns: number
  readonly #pauseMs: number
  readonly #maxPauseMs: number
  #quickRuns = 0

  constructor(options: RestartPolicyOptions = {}) {
    const { quickMs = 10_000, maxQuickRuns = 10, pauseMs = 100, maxPauseMs = 5000 } = options
    this.quickMs = quickMs
    this.maxQuickRuns = maxQuickRuns
    this.#pauseMs = pauseMs
    this.#maxPauseMs = maxPauseMs
  }

  /**
   * How long to wait before the next start; `undefined` to give up.
   * @param ranMs How long the program that crashed had run.
   */
  pauseAfter(ranMs: number): number | undefined {
    this.#quickRuns = ranMs < this.quickMs ? this.#quickRuns + 1 : 0
    if (this.#quickRuns >= this.maxQuickRuns) return undefined
    if (this.#quickRuns <= 1) return 0
    return Math.min(this.#pauseMs * 2 ** (this.#quickRuns - 2), this.#maxPauseMs)
  }
}
