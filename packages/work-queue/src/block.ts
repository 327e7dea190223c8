import { performance } from 'node:perf_hooks'
import { Spinner } from './spin.ts'
import { MAX_SLEEP_MS } from './waiting.ts'
import type { EventCount, Need } from './waiting.ts'

/** Looks for a while whether a need becomes ready, before it is worth to sleep. */
export type Spin = (need: Need) => boolean

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
      let left = 0
      if (!need.ready()) {
        left = end === Infinity ? MAX_SLEEP_MS : end - performance.now()
        if (left > 0) need.events.sleep(sequence, Math.min(left, MAX_SLEEP_MS))
        need.events.leave()
        if (left <= 0) return false
      } else {
        need.events.leave()
      }
    }
  }
}

/** A spinner for each event count: how long they take to change has nothing to do with each other. */
function adaptiveSpin(): Spin {
  const spinners = new Map<EventCount, Spinner>()
  return (need) => {
    let spinner = spinners.get(need.events)
    if (spinner === undefined) spinners.set(need.events, (spinner = new Spinner()))
    return spinner.spin(need)
  }
}
