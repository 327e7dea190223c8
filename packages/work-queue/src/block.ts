import { performance } from 'node:perf_hooks'
import { AdaptiveSpin } from './spin.ts'
import type { Spin } from './spin.ts'
import { MAX_SLEEP_MS } from './waiting.ts'
import type { Need } from './waiting.ts'

/** Blocks the calling thread, for one participant. */
export class Blocking {
  readonly #spin: Spin

  constructor(spin: Spin = new AdaptiveSpin()) {
    this.#spin = spin
  }

  /**
   * Tries until it succeeds.
   * @param attempt returns `undefined` when it has succeeded, or what to wait for
   * @returns `false` when the time was over before
   */
  until(attempt: () => Need | undefined, timeoutMs: number): boolean {
    const end = timeoutMs === Infinity ? Infinity : performance.now() + timeoutMs
    for (;;) {
      const need = attempt()
      if (need === undefined) return true
      if (this.#spin.spin(need)) continue
      const sequence = need.events.announce()
      if (need.ready()) {
        need.events.leave()
        continue
      }
      const before = performance.now()
      if (before >= end) {
        need.events.leave()
        return false
      }
      need.events.sleep(sequence, Math.min(end - before, MAX_SLEEP_MS))
      need.events.leave()
      this.#spin.waited(need, (performance.now() - before) * 1000)
    }
  }
}
