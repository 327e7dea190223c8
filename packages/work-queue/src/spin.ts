import { availableParallelism } from 'node:os'
import type { Need } from './waiting.ts'

/** Looks of the longest spin: about 20 µs, a third of what a sleep and a wake-up cost. */
const MAX_LOOKS = 400
/** Looks of the shortest: what a neighbour needs that is just about to finish. */
const MIN_LOOKS = 8
/** One spin in so many is a long one, to find out whether waits have become short. */
const PROBE_EVERY = 16

// A thread that spins takes a core from the one it waits for when there are no more cores than threads.
const cores = availableParallelism()
const maxSpinners = cores === 1 ? 0 : Math.max(1, cores >> 1)

/** Eases the core's other hyper-thread while spinning. Node 24 has it. */
const pause: () => void =
  (Atomics as { pause?: () => void }).pause?.bind(Atomics) ??
  (() => {
    // An atomic load by the caller is all there is before.
  })

/**
 * Decides how long to look before sleeping. Sleeping and being woken takes 50 times as long as a
 * neighbour takes for an item, so a short look often saves it; but a look that fails is wasted, and on a
 * machine with few cores it keeps the neighbour from running. The spin is as long as twice what lately was needed, halves
 * when it fails, and at most half of the cores spin for one thing.
 */
export class Spinner {
  #looks = MAX_LOOKS
  #spins = 0

  /** @returns whether `need` became ready */
  spin(need: Need): boolean {
    if (need.ready()) return true
    if (maxSpinners === 0 || !need.events.enterSpin(maxSpinners)) return false
    const looks = ++this.#spins % PROBE_EVERY === 0 ? MAX_LOOKS : this.#looks
    const used = look(need, looks)
    need.events.leaveSpin()
    if (used < looks) {
      this.#looks = Math.min(MAX_LOOKS, Math.max(this.#looks, 2 * used + MIN_LOOKS))
      return true
    }
    this.#looks = Math.max(MIN_LOOKS, this.#looks >> 1)
    return false
  }
}

/** Looks up to `looks` times. @returns how often it looked in vain */
export function look(need: Pick<Need, 'ready'>, looks: number): number {
  let used = 0
  while (used < looks && !need.ready()) {
    pause()
    used++
  }
  return used
}
