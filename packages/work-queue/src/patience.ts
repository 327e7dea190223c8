import { performance } from 'node:perf_hooks'
import { look } from './spin.ts'
import type { Need } from './waiting.ts'

/** A `try` form looks so often for a neighbour that has not finished with the next slot. */
export const NEIGHBOUR_LOOKS = 50
/** Then one that puts in, which must not say "full" for a busy slot, naps: in one call for so long in all. */
const MAX_NAPS_MS = 5
/** The system makes most naps longer, so that a clock says when it is enough. */
const NAP_MS = 0.1

const napping = new Int32Array(new SharedArrayBuffer(4))

/** What one call of a `try` form has for threads that are in the middle of taking the slot that is next. */
export class Patience {
  #leftMs = MAX_NAPS_MS

  /** Looks and naps until a need is ready. @returns `false` when the patience was over before */
  awaits(need: Need): boolean {
    look(need, NEIGHBOUR_LOOKS)
    if (need.ready()) return true
    const start = performance.now()
    let pastMs = 0
    while (pastMs < this.#leftMs && !need.ready()) {
      // Gives way to the thread that has the slot; the word never changes.
      Atomics.wait(napping, 0, 0, NAP_MS)
      pastMs = performance.now() - start
    }
    this.#leftMs -= pastMs
    return need.ready()
  }
}
