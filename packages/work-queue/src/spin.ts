import { availableParallelism } from 'node:os'
import type { EventCount, Need } from './waiting.ts'

/** Looks of a spin that is worth it: about 25 µs. */
const LOOKS = 250
/** Looks of one that is not: what a neighbour needs that is just about to finish. */
const FEW_LOOKS = 8
/** Waits that are expected to be longer are slept through. */
const WORTH_US = 25
/** One long wait must not hide for long that waits have become short. */
const LONGEST_US = 200
/** After so many waits without a spin, whatever went before, one is tried. */
const LONGEST_PAUSE = 100

// A thread that spins takes a core from the one it waits for when there are no more cores than threads.
const cores = availableParallelism()
const maxSpinners = cores === 1 ? 0 : Math.max(1, cores >> 1)

/** Eases the core's other hyper-thread while spinning. Node 24 has it. */
const pause: () => void =
  (Atomics as { pause?: () => void }).pause?.bind(Atomics) ??
  (() => {
    // An atomic load by the caller is all there is before.
  })

/** Looks for a while whether a need becomes ready, before it is worth to sleep. */
export interface Spin {
  /** @returns whether it became ready */
  spin(need: Need): boolean
  /** Learns how long a wait was that `spin` could not save. */
  waited(need: Need, us: number): void
}

/** What a participant has learned about one event count. */
interface History {
  /** How long the next wait will be, by the last ones. */
  expectedUs: number
  /** Waits to sleep through before the next spin. */
  pause: number
  /** How many that are after the next failure. */
  penalty: number
}

/**
 * Spins where that has lately helped. Sleeping and being woken takes microseconds, many times what a busy
 * neighbour takes for an item. But to spin through a long wait is wasted, and where threads outnumber cores the
 * neighbour may be waiting for this very core: so a spin that fails is followed by twice as many waits without one as
 * the failure before. At most half of the cores spin for one thing.
 */
export class AdaptiveSpin implements Spin {
  readonly #histories = new Map<EventCount, History>()

  spin(need: Need): boolean {
    const history = this.#historyOf(need.events)
    if (history.pause > 0) history.pause--
    else if (
      history.expectedUs <= WORTH_US &&
      maxSpinners > 0 &&
      need.events.enterSpin(maxSpinners)
    ) {
      const isReady = look(need, LOOKS) < LOOKS
      need.events.leaveSpin()
      history.penalty = isReady
        ? history.penalty >> 1
        : Math.min(LONGEST_PAUSE, history.penalty * 2 + 2)
      if (!isReady) history.pause = history.penalty
      return isReady
    }
    return look(need, FEW_LOOKS) < FEW_LOOKS
  }

  waited({ events }: Need, us: number): void {
    const history = this.#historyOf(events)
    history.expectedUs += (Math.min(us, LONGEST_US) - history.expectedUs) / 4
  }

  #historyOf(events: EventCount): History {
    let history = this.#histories.get(events)
    if (history === undefined) {
      history = { expectedUs: 0, pause: 0, penalty: 0 }
      this.#histories.set(events, history)
    }
    return history
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
