import { availableParallelism } from 'node:os'
import type { EventCount, Need } from './waiting.ts'

/** Looks of a spin: about 50 µs, what it takes to wake a thread on an idle core. */
const LOOKS = 500
/** Looks where no spin is due: what a neighbour needs that is just about to finish. */
const FEW_LOOKS = 8
/** After so many waits without a spin one is tried, whatever went before. */
const LONGEST_PAUSE = 200

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
export type Spin = (need: Need) => boolean

/** What a participant has learned about one event count. */
interface History {
  /** Waits to sleep through before the next spin. */
  pause: number
  /** How many that are after the next failure. */
  penalty: number
}

/**
 * Spins where that has lately helped. Sleeping and being woken takes microseconds, many times what a busy
 * neighbour takes for an item. But to spin through a long wait is wasted, and where threads outnumber cores the
 * neighbour may be waiting for this very core: so a spin that fails is followed by twice as many waits without
 * one as the failure before. At most half of the cores spin for one thing.
 */
export function adaptiveSpin(): Spin {
  const histories = new Map<EventCount, History>()
  return (need) => {
    const { events } = need
    let history = histories.get(events)
    if (history === undefined) histories.set(events, (history = { pause: 0, penalty: 0 }))
    const { maxLooks = LOOKS } = need
    if (history.pause > 0) {
      history.pause--
    } else if (maxSpinners > 0 && events.enterSpin(maxSpinners)) {
      const looks = Math.min(LOOKS, maxLooks)
      const isReady = look(need, looks) < looks
      events.leaveSpin()
      learn(history, isReady)
      return isReady
    }
    const fewLooks = Math.min(FEW_LOOKS, maxLooks)
    return look(need, fewLooks) < fewLooks
  }
}

function learn(history: History, hasHelped: boolean): void {
  if (hasHelped) {
    history.penalty >>= 1
  } else {
    history.penalty = Math.min(LONGEST_PAUSE, history.penalty * 2 + 2)
    history.pause = history.penalty
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
