// The threads of a pool: started, replaced, retired. Knows nothing of tasks but their number.
import { now } from './clock.ts'
import { CrashGuard } from './crash-guard.ts'
import { FreeSlots } from './free-slots.ts'
import type { ToPool } from './messages.ts'
import type { ResolvedOptions } from './options.ts'
import type { ScaleEvent } from './pool-events.ts'
import { Scaler } from './scaler.ts'
import type { ScalingLimits, ScalingStep } from './scaler.ts'
import { maxThreadIndex } from './task-table.ts'
import { Thread } from './thread.ts'
import type { ThreadSurroundings } from './thread.ts'

/** What a crew tells its pool. */
export interface CrewListener {
  onCreate(thread: Thread): void
  onReady(thread: Thread): void
  onMessage(thread: Thread, message: ToPool): void
  /** The thread has ended and all it said was heard. Its index is used again once the promise settles. */
  onExit(thread: Thread): Promise<void>
  onScale(event: ScaleEvent): void
  /** The breaker has opened. */
  onBreak(): void
}

/** The threads of one pool. */
export class Crew {
  readonly guard: CrashGuard
  readonly #options: ResolvedOptions
  readonly #listener: CrewListener
  readonly #around: ThreadSurroundings
  readonly #scaler: Scaler
  readonly #limits: ScalingLimits
  readonly #threads = new Set<Thread>()
  // Only low numbers are used, so that a pool of four has threads 0 to 3 most of the time.
  readonly #indexes: FreeSlots
  readonly #timers = new Set<NodeJS.Timeout>()
  // Busy time of threads that are gone.
  #busyBefore = 0
  #restarts = 0
  #isClosed = false
  crashes = 0

  constructor(
    options: ResolvedOptions,
    shared: Pick<ThreadSurroundings, 'queue' | 'tasks' | 'doorbell' | 'startWorker'>,
    listener: CrewListener,
  ) {
    this.#options = options
    this.#listener = listener
    this.guard = new CrashGuard(options)
    const { minThreads, maxThreads, scaleUpWaitMs, idleTimeoutMs } = options
    this.#limits = { minThreads, maxThreads, scaleUpWaitMs, idleTimeoutMs }
    this.#scaler = new Scaler(this.#limits)
    this.#indexes = new FreeSlots(Math.min(2 * options.maxThreads + 64, maxThreadIndex))
    this.#around = {
      ...shared,
      options,
      onReady: (thread) => {
        this.guard.started()
        listener.onReady(thread)
      },
      onMessage: (thread, message) => listener.onMessage(thread, message),
      onExit: (thread) => void this.#exit(thread),
    }
  }

  /** Threads that have not ended. */
  get threads(): ReadonlySet<Thread> {
    return this.#threads
  }

  count(state: Thread['state']): number {
    let count = 0
    for (const thread of this.#threads) if (thread.state === state) count++
    return count
  }

  /** Threads that are always there. */
  get minThreads(): number {
    return this.#limits.minThreads
  }

  set minThreads(minThreads: number) {
    this.#limits.minThreads = minThreads
  }

  /** Whether nobody is there to take a task, and nobody will come soon. */
  get isBroken(): boolean {
    return this.guard.state === 'open' && this.#threads.size === 0
  }

  /** Threads that end on their own account are not replaced any more. */
  close(): void {
    this.#isClosed = true
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  /** Starts or retires threads if it is time to. */
  observe(waiting: number, waitMs: number): void {
    if (this.#isClosed || this.guard.state === 'open') return
    const ready = this.count('ready')
    const starting = this.count('starting') + this.#restarts
    const threads = ready + starting
    const busyMs = this.busyMs()
    const step = this.#scaler.observe({ now: now(), threads, starting, waiting, waitMs, busyMs })
    if (step.change !== 0) this.#resize(step, threads, waitMs)
  }

  busyMs(): number {
    let busyMs = this.#busyBefore
    const time = now()
    for (const thread of this.#threads) busyMs += thread.busyMs(time)
    return busyMs
  }

  #resize(step: ScalingStep, from: number, waitMs: number): void {
    if (step.reason !== 'minimum') {
      this.#listener.onScale({ from, to: from + step.change, reason: step.reason, waitMs })
    }
    for (let count = 0; count < step.change; count++) this.#start()
    for (let count = 0; count > step.change; count--) this.#retire()
  }

  #start(): void {
    if (this.#isClosed) return
    const index = this.#indexes.take()
    if (index === -1) return
    const thread = new Thread(index, this.#around)
    this.#threads.add(thread)
    this.#listener.onCreate(thread)
  }

  #retire(): void {
    let leastUsed: Thread | undefined
    for (const thread of this.#threads) {
      if (thread.state !== 'ready' || thread.isBusy) continue
      if (leastUsed === undefined || thread.completed < leastUsed.completed) leastUsed = thread
    }
    leastUsed?.stop()
  }

  async #exit(thread: Thread): Promise<void> {
    this.#threads.delete(thread)
    this.#busyBefore += thread.busyMs(now())
    // A replacement does not wait for the accounts of the dead.
    const hasOpened = !thread.wasAsked && this.#replace(thread)
    await this.#listener.onExit(thread)
    this.#indexes.give(thread.index)
    // Only now: what the dead thread had in hand has another reason.
    if (hasOpened) this.#listener.onBreak()
  }

  /** @returns whether there is no replacement, because the breaker is open now */
  #replace(thread: Thread): boolean {
    this.crashes++
    const delay = this.guard.died(
      thread.error ?? new Error(`Thread ${thread.index} exited with code ${thread.exitCode}`),
    )
    if (delay === 'open') {
      this.#later(this.#options.crashLoopPauseMs, () => {
        this.guard.retry()
        this.#start()
      })
      return true
    }
    if (delay === 0) {
      this.#start()
      return false
    }
    this.#restarts++
    this.#later(delay, () => {
      this.#restarts--
      this.#start()
    })
    return false
  }

  #later(delayMs: number, action: () => void): void {
    // A timer takes no longer time: that is for ever.
    if (this.#isClosed || delayMs > 0x7fffffff) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      action()
    }, delayMs)
    timer.unref()
    this.#timers.add(timer)
  }
}
