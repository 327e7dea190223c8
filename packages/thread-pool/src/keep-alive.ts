import { maxTimerMs } from './max-timer-ms.ts'

/**
 * The one timer of a pool: it ticks while there is something to watch, and holds the process, which a pending
 * `Atomics.waitAsync` does not, while something is pending.
 */
export class KeepAlive {
  readonly #tickMs: number
  readonly #tick: () => void
  #timer: NodeJS.Timeout | undefined
  #isHeld = false
  #isStopped = false
  /** Whether it waits for the end of idle time, and not for the next tick. */
  #isResting = false

  constructor(tickMs: number, tick: () => void) {
    this.#tickMs = tickMs
    this.#tick = tick
  }

  /** Something is pending. */
  hold(): void {
    if (this.#isStopped) return
    this.#isHeld = true
    if (this.#timer === undefined || this.#isResting) this.#start(this.#tickMs)
    else this.#timer.ref()
  }

  /** Nothing is. The timer goes on without holding the process, for the next task may come at once. */
  release(): void {
    this.#isHeld = false
    this.#timer?.unref()
  }

  /**
   * Said at each tick: if all is quiet, the next tick is only due in `restMs`.
   * @param restMs Infinity: not before the next `hold()`
   */
  rest(isQuiet: boolean, restMs: number): void {
    if (this.#isStopped || this.#isHeld) return
    if (!isQuiet) {
      if (this.#timer === undefined || this.#isResting) this.#start(this.#tickMs)
      return
    }
    clearInterval(this.#timer)
    this.#timer = undefined
    if (restMs > maxTimerMs) return
    this.#start(Math.max(restMs, this.#tickMs))
    this.#isResting = true
  }

  stop(): void {
    this.#isStopped = true
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #start(ms: number): void {
    clearInterval(this.#timer)
    this.#isResting = false
    this.#timer = setInterval(this.#tick, ms)
    if (!this.#isHeld) this.#timer.unref()
  }
}
