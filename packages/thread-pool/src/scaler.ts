// When to start and to retire threads: a pure function of what the pool observes, and of what it remembers here.

/** What is seen at one moment. */
export interface Observation {
  /** Milliseconds, on any clock. */
  now: number
  /** Threads that run or start. */
  threads: number
  /** Those of them that are not ready yet. */
  starting: number
  /** Tasks that wait. */
  waiting: number
  /** The longest time in the queue seen since the last observation; for tasks that still wait, so far. */
  waitMs: number
  /** Busy time of all threads since the pool was made, in milliseconds. */
  busyMs: number
}

/** What to do. */
export interface ScalingStep {
  /** Threads to start, or, below zero, to retire. */
  change: number
  reason: 'minimum' | 'first task' | 'queue wait' | 'idle' | 'none'
}

/** The bounds. */
export interface ScalingLimits {
  minThreads: number
  maxThreads: number
  scaleUpWaitMs: number
  idleTimeoutMs: number
}

const nothing: ScalingStep = { change: 0, reason: 'none' }
// The threads left would have to be busy for less than this part of the time.
const comfortable = 0.7

/** Decides about the size of a pool. */
export class Scaler {
  readonly #limits: ScalingLimits
  // Since when the size is the same and nobody has waited for long.
  #calmSince = -Infinity
  #busyThen = 0

  constructor(limits: ScalingLimits) {
    this.#limits = limits
  }

  /** Looks at the pool; to be called some ten times a second while it has tasks, and when idle time is over. */
  observe(seen: Observation): ScalingStep {
    const step = this.#grow(seen)
    if (step.change > 0) {
      this.#restart(seen)
      return step
    }
    if (this.#calmSince === -Infinity) this.#restart(seen)
    if (seen.waiting > 0 && seen.waitMs >= this.#limits.scaleUpWaitMs) this.#restart(seen)
    return this.#shrink(seen)
  }

  #grow({ threads, starting, waiting, waitMs }: Observation): ScalingStep {
    const { minThreads, maxThreads, scaleUpWaitMs } = this.#limits
    if (threads < minThreads) return { change: minThreads - threads, reason: 'minimum' }
    if (waiting === 0 || threads >= maxThreads) return nothing
    if (threads === 0) return { change: 1, reason: 'first task' }
    // Those that start will take what waits: see first whether they are enough.
    if (starting > 0 || waitMs < scaleUpWaitMs) return nothing
    // Doubling: a burst gets its threads in a few steps, a small excess does not start all of them.
    const change = Math.min(maxThreads - threads, threads, waiting)
    return { change, reason: 'queue wait' }
  }

  #shrink(seen: Observation): ScalingStep {
    const { minThreads, idleTimeoutMs } = this.#limits
    const elapsed = seen.now - this.#calmSince
    if (seen.threads <= minThreads || seen.starting > 0 || elapsed < idleTimeoutMs) return nothing
    const busyThreads = (seen.busyMs - this.#busyThen) / Math.max(elapsed, 1)
    this.#restart(seen)
    if (busyThreads > comfortable * (seen.threads - 1)) return nothing
    return { change: -1, reason: 'idle' }
  }

  #restart(seen: Observation): void {
    this.#calmSince = seen.now
    this.#busyThen = seen.busyMs
  }
}
