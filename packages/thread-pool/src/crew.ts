// The threads of a pool: started, replaced, retired. Knows nothing of tasks but their number.
import { now } from './clock.ts'
import { CrashGuard } from './crash-guard.ts'
import { ThreadPoolError } from './errors.ts'
import { FreeSlots } from './free-slots.ts'
import { maxTimerMs } from './max-timer-ms.ts'
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
  /** A thread could not be made. */
  onFail(error: ThreadPoolError): void
  /** The breaker has opened. What ended threads had in hand has been seen to. */
  onBreak(): void
  /** The pause of the breaker is over, and nothing was started yet: {@link Crew.observe} does that. */
  onPauseOver(): void
  /** The crew is broken, and what ended threads had in hand has been seen to. May be said again. */
  onBroken(): void
}

/** The threads of one pool. */
export class Crew {
  readonly guard: CrashGuard
  readonly #options: ResolvedOptions
  readonly #listener: CrewListener
  readonly #around: Omit<ThreadSurroundings, 'handlers'>
  readonly #scaler: Scaler
  readonly #limits: ScalingLimits
  readonly #threads = new Set<Thread>()
  // Only low numbers are used, so that a pool of four has threads 0 to 3 most of the time.
  readonly #indexes: FreeSlots
  readonly #timers = new Set<NodeJS.Timeout>()
  /** The end of the pause. One, however many have died: each would start a thread, whatever others are there by then. */
  #pause: NodeJS.Timeout | undefined
  // Busy time of threads that are gone.
  #busyBefore = 0
  #restarts = 0
  /** When more threads than are always there are tried again, after some that could not start. */
  #nextTry = 0
  /** Threads that have ended and of whose tasks is not known what becomes of them. */
  #exiting = 0
  /** Names of the handlers by their numbers: the order of the first thread that was ready. */
  #handlers: readonly string[] | undefined
  #hasOpened = false
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
        this.#handlers ??= thread.names
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

  /**
   * Names of the handlers by their numbers. Undefined while there is a thread that may know them by others: of those that
   * were started before any was ready, a worker module that has changed meanwhile may have given each its own.
   */
  get handlers(): readonly string[] | undefined {
    const handlers = this.#handlers
    if (handlers === undefined) return undefined
    for (const thread of this.#threads) if (!isSame(thread.handlers, handlers)) return undefined
    return handlers
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
    const time = now()
    const threads = this.#size
    const starting = threads - this.count('ready')
    const busyMs = this.busyMs()
    const step = this.#scaler.observe({ now: time, threads, starting, waiting, waitMs, busyMs })
    if (step.reason === 'queue wait' && this.guard.failedStarts > 0) {
      // Whatever the others could not get may still be scarce: one that asks for it is enough.
      if (time >= this.#nextTry) this.#resize({ ...step, change: 1 }, threads, waitMs)
      return
    }
    // One whose teardown never ends is none of `threads`: others after it would be without number.
    if (step.change < 0 && this.count('stopping') > 0) return
    if (step.change !== 0) this.#resize(step, threads, waitMs)
  }

  /** Threads that run or start, or are about to. */
  get #size(): number {
    return this.count('ready') + this.count('starting') + this.#restarts
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
    for (let count = 0; count < step.change && this.guard.state !== 'open'; count++) this.#start()
    for (let count = 0; count > step.change; count--) this.#retire()
  }

  #start(): void {
    if (this.#isClosed) return
    const index = this.#indexes.take()
    if (index === -1) return
    const thread = this.#make(index)
    if (thread === undefined) return
    this.#threads.add(thread)
    this.#listener.onCreate(thread)
  }

  /** @returns undefined if that failed: the thread counts as one that has died */
  #make(index: number): Thread | undefined {
    try {
      return new Thread(index, { ...this.#around, handlers: this.#handlers })
    } catch (cause) {
      this.#indexes.give(index)
      const reason = cause instanceof Error ? cause.message : String(cause)
      const message = `Cannot start a thread: ${reason}`
      const error = new ThreadPoolError('ERR_WORKER_START', message, { cause })
      this.#listener.onFail(error)
      this.#replace(error, false)
      this.#tellIfBroken()
      return undefined
    }
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
    this.#exiting++
    // A replacement does not wait for the accounts of the dead.
    if (!thread.wasAsked) {
      this.#replace(
        thread.error ?? new Error(`Thread ${thread.index} exited with code ${thread.exitCode}`),
        thread.participant !== -1,
      )
    }
    await this.#listener.onExit(thread)
    this.#exiting--
    this.#indexes.give(thread.index)
    this.#tellIfBroken()
  }

  #tellIfBroken(): void {
    // What dead threads had in hand has another reason: it comes first.
    if (this.#exiting > 0) return
    if (this.#hasOpened) {
      this.#hasOpened = false
      this.#listener.onBreak()
    }
    // Also long after the breaker has opened, when the last thread has ended on purpose.
    if (this.isBroken) this.#listener.onBroken()
  }

  #replace(error: unknown, wasReady: boolean): void {
    this.crashes++
    const wasOpen = this.guard.state === 'open'
    const isNeeded = this.#size < Math.max(1, this.minThreads)
    const delay = wasReady ? this.guard.died(error) : this.guard.failed(error, isNeeded)
    if (delay === 'open') {
      this.#hasOpened = true
      if (!wasOpen) this.#beginPause()
      return
    }
    // Tasks start what they need beyond that. Where nobody is left, they wait for this one.
    if (!wasReady && !isNeeded) {
      this.#nextTry = now() + delay
      return
    }
    if (delay === 0) return this.#start()
    this.#restarts++
    this.#later(delay, () => {
      this.#restarts--
      this.#start()
    })
  }

  #beginPause(): void {
    // A pause that was cut short, by a task that was done, would end this one early.
    if (this.#pause !== undefined) {
      clearTimeout(this.#pause)
      this.#timers.delete(this.#pause)
    }
    this.#pause = this.#later(this.#options.crashLoopPauseMs, () => {
      this.guard.retry()
      this.#listener.onPauseOver()
    })
  }

  #later(delayMs: number, action: () => void): NodeJS.Timeout | undefined {
    // A timer takes no longer time: that is for ever.
    if (this.#isClosed || delayMs > maxTimerMs) return undefined
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      action()
    }, delayMs)
    timer.unref()
    this.#timers.add(timer)
    return timer
  }
}

function isSame(some: readonly string[] | undefined, others: readonly string[]): boolean {
  if (some === others) return true
  return some?.length === others.length && some.every((name, index) => name === others[index])
}
