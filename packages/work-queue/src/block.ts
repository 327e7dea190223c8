import { performance } from 'node:perf_hooks'
import { adaptiveSpin } from './spin.ts'
import type { Spin } from './spin.ts'
import { MAX_SLEEP_MS } from './waiting.ts'
import type { Need } from './waiting.ts'

/** Blocks the calling thread, for one participant. */
export class Blocking {
  readonly #spin: Spin

  constructor(spin: Spin = adaptiveSpin()) {
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
      if (this.#spin(need)) continue
      const sequence = need.events.announce()
      if (need.ready()) {
        need.events.leave()
        continue
      }
      const left = end === Infinity ? Infinity : end - performance.now()
      if (left <= 0) {
        need.events.leave()
        return false
      }
      need.events.sleep(sequence, Math.min(left, MAX_SLEEP_MS))
      need.events.leave()
    }
  }
}
