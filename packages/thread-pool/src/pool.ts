import { EventEmitter } from 'node:events'
import process from 'node:process'
import { Caller, copyValue } from './caller.ts'
import { microseconds, now } from './clock.ts'
import { Crew } from './crew.ts'
import { Dispatcher } from './dispatcher.ts'
import { Doorbell } from './doorbell.ts'
import { notCloneable, unpackThrown } from './error-codec.ts'
import type { Thrown } from './error-codec.ts'
import { ThreadPoolError } from './errors.ts'
import { Fifo } from './fifo.ts'
import { HeldTasks } from './held-tasks.ts'
import { KeepAlive } from './keep-alive.ts'
import { Lookout } from './lookout.ts'
import { maxTimerMs } from './max-timer-ms.ts'
import { Outcome } from './messages.ts'
import type { ToPool } from './messages.ts'
import { OldestTasks } from './oldest-tasks.ts'
import { duration, integer, resolveOptions } from './options.ts'
import type { ResolvedOptions, RunOptions, ThreadPoolOptions } from './options.ts'
import { channels } from './pool-events.ts'
import type { PoolEvents, TaskDiagnostics } from './pool-events.ts'
import { PoolMeter } from './pool-meter.ts'
import type { PoolMetrics } from './pool-metrics.ts'
import { PortValues } from './port-values.ts'
import { Quarantine } from './quarantine.ts'
import { Recovery } from './recovery.ts'
import type { RecoveryListener } from './recovery.ts'
import { Task } from './task.ts'
import type { TaskFields } from './task.ts'
import { startWorker } from './start-worker.ts'
import {
  closedError,
  droppedError,
  fullError,
  quarantinedError,
  timeoutError,
  unknownHandlerError,
} from './task-errors.ts'
import { noOptions, taskFields } from './task-fields.ts'
import type { StartWorker, Thread } from './thread.ts'
import { TimeLimits } from './time-limits.ts'
import { readValue } from './value-codec.ts'
import type { DefaultName, TaskName, TaskResult, TaskValue, UntypedWorker } from './worker-types.ts'

/** A task that was accepted and never started, given back by {@link ThreadPool.close}. */
export interface UnstartedTask {
  task: unknown
  name: string
  priority: number
}

/** What {@link ThreadPool.close} is fulfilled with. */
export interface CloseReport {
  /**
   * In the order in which they were accepted. Their promises reject with `ERR_POOL_CLOSED`, as those of tasks do that
   * wait to be accepted or that a thread has at the deadline, which are not here.
   */
  unstarted: UnstartedTask[]
}

const defaultCloseMs = 30_000
// How long a thread may take to end after it was terminated, or asked to end for the last time.
const lastWaitMs = 5000
const tickMs = 20
// Completions that are read from one thread before the others, and the event loop, have a turn.
const readLimit = 256

/**
 * Worker threads that take tasks from a queue in shared memory. Made and used in one thread; each promise that
 * {@link ThreadPool.run} returns settles exactly once, whatever becomes of the threads.
 *
 * Pending tasks keep the process alive; an idle pool does not.
 *
 * @typeParam W The worker's type: `typeof worker` of what `defineWorker()` returned, or of a module of functions
 */
export class ThreadPool<W = UntypedWorker> extends EventEmitter<PoolEvents> {
  readonly #options: ResolvedOptions
  /** What a task without options has. */
  readonly #defaults: Readonly<TaskFields>
  readonly #dispatcher: Dispatcher
  readonly #crew: Crew
  readonly #values: PortValues
  readonly #held: HeldTasks
  readonly #doorbell: Doorbell
  readonly #meter = new PoolMeter()
  readonly #quarantine: Quarantine
  readonly #recovery: Recovery
  readonly #limits = new TimeLimits({
    beforeCheck: () => this.#hearAll(),
    startedAt: (task) => (task.place === 'slot' ? this.#dispatcher.table.startedAt(task.tag) : 0),
    onTimeout: (task) => this.#giveUp(task, timeoutError(task), 'timed out'),
    onKill: (task) => {
      if (task.place === 'slot') this.#threadOf(task)?.terminate()
    },
  })
  readonly #lookout: Lookout
  readonly #keepAlive: KeepAlive
  readonly #caller: Caller
  /** Tasks that wait to be accepted, with `whenFull: 'wait'`. */
  readonly #callers = new Fifo<Task>((task) => !task.isSettled)
  #isAdmitting = false
  /** Tasks that run in this thread, with `whenFull: 'run-in-caller'`, and what tells their handlers. */
  readonly #here = new Map<Task, AbortController>()
  /** Only with `whenFull: 'drop-oldest'`. */
  readonly #oldest: OldestTasks
  /** The handlers of the thread that was ready last. */
  #names: ReadonlySet<string> | undefined
  /** Accepted and not settled. */
  #pending = 0
  readonly #limit: number
  #needsDrain = false
  /** The task whose time in the queue is watched. */
  #probe: Task | undefined
  #longestWaitUs = 0
  #state: 'open' | 'closing' | 'closed' = 'open'
  #closed: Promise<CloseReport> | undefined
  #onEmpty: (() => void) | undefined
  /** What ran in this thread is torn down once, whoever ends the pool. */
  #callerEnd: Promise<void> | undefined
  // One listener for all reads, with the thread that is being read beside it.
  #reading: Thread | undefined
  readonly #listener: Parameters<Thread['readCompletions']>[1] = (
    tag,
    kind,
    startedAt,
    runUs,
    bytes,
    start,
    end,
  ) => {
    const task = this.#dispatcher.find(tag)
    if (task === undefined || this.#reading === undefined) return
    const waitUs = microseconds(startedAt - task.since)
    const isError = kind >> 8 === Outcome.Threw
    if (task.isSettled) return this.#end(this.#reading, task, waitUs, runUs, isError)
    let value: unknown
    try {
      value = readValue(kind & 0xff, bytes, start, end)
    } catch (error) {
      const { index } = this.#reading
      this.#end(this.#reading, task, waitUs, runUs, true)
      return this.#reject(task, notCloneable('return', error), 'failed', index, waitUs, runUs)
    }
    this.#finish(this.#reading, task, value, isError, waitUs, runUs)
  }

  /**
   * Starts `minThreads` threads.
   *
   * @param startThread for tests: something else than `new Worker()`
   * @throws {TypeError | RangeError} for options that cannot be meant
   */
  constructor(options: ThreadPoolOptions, startThread: StartWorker = startWorker) {
    super()
    this.#options = resolveOptions(options)
    this.#defaults = taskFields(noOptions, this.#options)
    const { maxThreads, concurrency, maxQueue, priorities } = this.#options
    this.#limit = maxQueue + maxThreads * concurrency
    this.#dispatcher = new Dispatcher(this.#options, (task) => this.#limits.watch(task))
    this.#oldest = new OldestTasks(this.#dispatcher, priorities)
    this.#values = new PortValues(this.#dispatcher, (task, error) => {
      this.#reject(task, error, 'failed')
    })
    this.#held = new HeldTasks(this.#dispatcher, this.#options, (thread) => this.#hear(thread))
    this.#doorbell = new Doorbell(() => this.#drain())
    this.#lookout = new Lookout(
      () => this.#readAll(),
      () => this.#sleep(),
    )
    this.#quarantine = new Quarantine(this.#options.quarantineAfter)
    this.#recovery = new Recovery(
      this.#dispatcher,
      this.#quarantine,
      this.#options.quarantineAfter,
      this.#forRecovery(),
    )
    this.#caller = new Caller(
      this.#options.worker,
      this.#options.thread.workerData,
      this.#options.startTimeoutMs,
    )
    this.#keepAlive = new KeepAlive(tickMs, () => this.#tick())
    const shared = {
      queue: this.#dispatcher.queue.handle,
      tasks: this.#dispatcher.table.buffer,
      doorbell: this.#doorbell.buffer,
      startWorker: startThread,
    }
    this.#crew = new Crew(this.#options, shared, {
      onCreate: (thread) => this.#tell('workerCreate', thread, {}),
      onReady: (thread) => this.#ready(thread),
      onMessage: (thread, message) => this.#receive(thread, message),
      onExit: (thread) => this.#lose(thread),
      onScale: (event) => {
        this.#announce('scale', event)
        if (channels.scale.hasSubscribers) {
          channels.scale.publish({ pool: this.#options.name, ...event })
        }
      },
      onFail: (error) => this.#tellError(error),
      onBreak: () => {
        const { deaths, lastError } = this.#crew.guard
        this.#announce('breakerOpen', { deaths, error: lastError })
      },
      onPauseOver: () => this.#observe(),
      onBroken: () => this.#abandon(this.#brokenError()),
    })
    this.#crew.observe(0, 0)
    this.#sleep()
  }

  /** Threads that there are, those that start or end included. */
  get threads(): number {
    return this.#crew.threads.size
  }

  /**
   * Threads that are always there, as the option of that name says first. More are started at once, those above
   * it are retired when they have been idle for long enough.
   *
   * @throws {RangeError} when it is set to what is no integer from 0 to `maxThreads`
   */
  get minThreads(): number {
    return this.#crew.minThreads
  }

  set minThreads(minThreads: number) {
    const { maxThreads } = this.#options
    this.#crew.minThreads = integer({ minThreads }, 'minThreads', 0, 0, maxThreads)
    this.#observe()
  }

  /** Tasks whose promises are pending. */
  get pending(): number {
    return this.#pending
  }

  /**
   * Wakes no thread for what is run from here to {@link ThreadPool.uncork}, which has to follow in the same turn of the
   * event loop. For many small tasks at once: to wake a thread takes longer than to hand a task over, and one that
   * was woken wakes the next while there is more.
   */
  cork(): void {
    if (this.#state === 'open') this.#dispatcher.queue.cork()
  }

  /** Wakes a thread if a task waits. Harmless without `cork`. */
  uncork(): void {
    this.#dispatcher.queue.uncork()
  }

  /** Whether the queue is full, or has been and is more than half full. */
  get needsDrain(): boolean {
    return this.#needsDrain
  }

  /**
   * Runs a task in whichever thread is free first.
   *
   * The value is copied before this returns, except what goes by structured clone on a port: instances of classes, objects
   * with more than 8,192 characters in strings and what is large are copied when a thread takes the task, and what has a
   * `transferList` moves when one is free for it.
   *
   * @returns what the handler returned, or rejects with what it threw
   * @throws {ThreadPoolError} by rejection, never at the call; see the README for each code
   */
  run<N extends TaskName<W>>(
    task: TaskValue<W, N>,
    options: RunOptions & { name: N },
  ): Promise<TaskResult<W, N>>
  run(
    task: TaskValue<W, 'default'>,
    options?: RunOptions & { name?: DefaultName<W> },
  ): Promise<TaskResult<W, 'default'>>
  run(value: unknown, options: RunOptions = noOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const fields = options === noOptions ? this.#defaults : taskFields(options, this.#options)
      this.#submit(new Task(value, now(), fields, resolve, reject))
    })
  }

  /**
   * Refuses new tasks, finishes those that run and those that wait, then ends all threads. Repeating it gives
   * the same promise.
   *
   * @param options.timeoutMs after which tasks that have not started are given back, those that run are cancelled, and,
   *   unless the pool is not `terminable`, threads are terminated. Infinity waits as long as it takes. Default: 30,000.
   * @throws {RangeError} by rejection, for a `timeoutMs` that cannot be meant
   */
  // Not async: repeating it gives the same promise.
  close(options: { timeoutMs?: number } = {}): Promise<CloseReport> {
    try {
      const timeoutMs = duration(options, 'timeoutMs', defaultCloseMs)
      return (this.#closed ??= this.#close(timeoutMs))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Rejects all tasks with `ERR_POOL_DESTROYED` at once and ends all threads, by force if the pool is `terminable`.
   * After at most five seconds it is fulfilled even if a thread hangs in native code.
   */
  async destroy(): Promise<void> {
    this.#state = 'closed'
    const ended = Promise.withResolvers<CloseReport>()
    this.#closed ??= ended.promise
    const error = new ThreadPoolError('ERR_POOL_DESTROYED', 'The pool was destroyed')
    this.#refuseCallers(error)
    this.#abandon(error)
    this.#abandonHere(error)
    await Promise.all([this.#endThreads(0), this.#endCaller(0)])
    ended.resolve({ unstarted: [] })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Accepts tasks with a quarantined key again. @returns whether it was known */
  release(key: string): boolean {
    return this.#quarantine.delete(key)
  }

  /** Counts and durations since the pool was made. */
  metrics(): PoolMetrics {
    return this.#meter.metrics({
      options: this.#options,
      crew: this.#crew,
      waiting: this.#dispatcher.waiting,
      pending: this.#pending,
      quarantined: this.#quarantine.keys,
    })
  }

  // Accepting tasks.

  #submit(task: Task): void {
    const refusal = this.#refusal(task)
    if (refusal !== undefined) {
      task.reject(refusal)
      return
    }
    if (this.#pending >= this.#limit) return this.#overflow(task)
    this.#accept(task)
  }

  #refusal(task: Task): unknown {
    if (this.#state !== 'open') {
      return closedError(task)
    }
    if (task.signal?.aborted === true) return task.signal.reason
    if (this.#crew.isBroken) return this.#brokenError()
    if (task.key !== undefined && this.#quarantine.has(task.key)) {
      return quarantinedError(task)
    }
    const names = this.#names
    if (names === undefined || names.has(task.name)) return undefined
    return unknownHandlerError(task.name, names)
  }

  #accept(task: Task): void {
    const idle = this.#pending === 0 ? this.#anyIdle() : undefined
    let isSent = true
    try {
      isSent = this.#dispatcher.send(task, idle?.index ?? -1)
    } catch (error) {
      return this.#refuseValue(task, error)
    }
    // A getter of the value may have done anything, here and where the value is posted.
    if (this.#state !== 'open') {
      if (!this.#dispatcher.cancel(task)) this.#cancelRun(task)
      task.reject(closedError(task))
      return
    }
    task.isAccepted = true
    if (++this.#pending === 1) {
      this.#keepAlive.hold()
      // What goes by the port comes back by it as a rule, which needs no look.
      if (isSent && this.#lookout.begin()) this.#doorbell.stayAwake()
    }
    if (!isSent && idle !== undefined) this.#values.give(idle, task, this.#crew.threads.size === 1)
    this.#probe ??= task
    this.#listen(task)
    if (this.#options.whenFull === 'drop-oldest') this.#oldest.add(task)
    if (this.#pending >= this.#limit && !this.#needsDrain) {
      this.#needsDrain = true
      this.#announce('needsDrain')
    }
    if (this.#crew.threads.size === 0) this.#observe()
  }

  /** One that hears a message at once, or, being the only one, can be nudged. Nothing pends, but a run may go on. */
  #anyIdle(): Thread | undefined {
    const { threads } = this.#crew
    for (const thread of threads) {
      if (thread.isIdle && (threads.size === 1 || thread.isListening)) return thread
    }
    return undefined
  }

  #overflow(task: Task): void {
    switch (this.#options.whenFull) {
      case 'reject':
        this.#meter.rejected++
        task.reject(fullError(task, this.#pending, this.#options.maxQueue))
        break
      case 'wait':
        this.#wait(task)
        break
      case 'run-in-caller':
        this.#beginHere(task)
        break
      case 'drop-oldest':
        this.#dropOldest(task)
        break
      default:
        this.#options.whenFull satisfies never
    }
  }

  #dropOldest(task: Task): void {
    this.#meter.rejected++
    const oldest = this.#oldest.cancel()
    // Nothing waits: all that is pending runs.
    if (oldest === undefined) {
      task.reject(fullError(task, this.#pending, this.#options.maxQueue))
      return
    }
    this.#reject(oldest, droppedError(oldest, this.#options.maxQueue), 'dropped')
    this.#accept(task)
  }

  #wait(task: Task): void {
    if (!this.#canRead(task, () => this.#dispatcher.copy(task))) return
    this.#callers.push(task)
    this.#listen(task)
    // A getter may have made room.
    this.#admit()
  }

  #beginHere(task: Task): void {
    let value: unknown
    const isRead = this.#canRead(task, () => {
      value = copyValue(task)
    })
    if (isRead) void this.#runHere(task, value)
  }

  /** Reads the value of a task, by which getters may do anything. @returns false if the task was rejected */
  #canRead(task: Task, read: () => void): boolean {
    try {
      read()
    } catch (error) {
      this.#refuseValue(task, error)
      return false
    }
    if (this.#state !== 'open') task.reject(closedError(task))
    return !task.isSettled
  }

  #refuseValue(task: Task, error: unknown): void {
    task.reject(this.#state === 'open' ? notCloneable('send', error) : closedError(task))
  }

  async #runHere(task: Task, value: unknown): Promise<void> {
    const controller = new AbortController()
    this.#here.set(task, controller)
    task.isAccepted = true
    if (++this.#pending === 1) this.#keepAlive.hold()
    this.#listen(task, () => controller.abort(task.signal?.reason))
    let timer: NodeJS.Timeout | undefined
    let startedAt = 0
    const outcome = await this.#caller.run(task.name, value, controller.signal, () => {
      timer = this.#limitTimeHere(task, controller)
      startedAt = now()
    })
    clearTimeout(timer)
    this.#here.delete(task)
    // It was given up before its handler began.
    if (startedAt === 0 && task.isSettled) return
    const endedAt = now()
    // Where there is no handler, nothing has run.
    if (startedAt === 0) startedAt = endedAt
    const waitUs = microseconds(startedAt - task.since)
    const runUs = microseconds(endedAt - startedAt)
    this.#meter.count(undefined, task.name, waitUs, runUs, outcome.hasThrown)
    if (outcome.hasThrown) this.#reject(task, outcome.value, 'failed', -1, waitUs, runUs)
    else this.#resolve(task, outcome.value, -1, waitUs, runUs)
  }

  #limitTimeHere(task: Task, controller: AbortController): NodeJS.Timeout | undefined {
    if (task.timeoutMs > maxTimerMs) return undefined
    const timer = setTimeout(() => {
      controller.abort()
      this.#reject(task, timeoutError(task), 'timed out')
    }, task.timeoutMs)
    // A pending task holds the process itself; one that was given up may never end.
    return timer.unref()
  }

  /** Room has come: those who wait for it are next. */
  #admit(): void {
    // One that is refused makes room itself: to admit the next from there would take the stack for each.
    if (this.#isAdmitting) return
    this.#isAdmitting = true
    while (this.#pending < this.#limit && this.#callers.size > 0) {
      const task = this.#callers.shift()
      if (task === undefined || task.isSettled) continue
      task.unlisten()
      this.#submit(task)
    }
    this.#isAdmitting = false
    if (this.#needsDrain && this.#pending <= this.#limit / 2) {
      this.#needsDrain = false
      this.#announce('drain')
    }
  }

  #refuseCallers(error: ThreadPoolError): void {
    for (const task of this.#callers.clear()) task.reject(error)
  }

  // Settling tasks. `task.resolve` and `task.reject` decide who is first.

  #resolve(task: Task, value: unknown, thread: number, waitUs: number, runUs: number): void {
    if (!task.resolve(value)) return
    this.#publish(task, 'completed', thread, waitUs, runUs, undefined)
    this.#settled()
  }

  #reject(
    task: Task,
    error: unknown,
    outcome: TaskDiagnostics['outcome'],
    thread = -1,
    waitUs: number = (now() - task.since) * 1000,
    runUs = 0,
  ): void {
    if (!task.reject(error)) return
    if (outcome !== 'failed') this.#meter.gaveUp(outcome)
    this.#publish(task, outcome, thread, waitUs, runUs, error)
    this.#settled()
  }

  #settled(): void {
    this.#pending--
    if (this.#callers.size > 0 || this.#needsDrain) this.#admit()
    if (this.#pending > 0) return
    this.#keepAlive.release()
    this.#onEmpty?.()
  }

  #finish(
    thread: Thread,
    task: Task,
    value: unknown,
    isError: boolean,
    waitUs: number,
    runUs: number,
  ): void {
    this.#end(thread, task, waitUs, runUs, isError)
    if (!isError) return this.#resolve(task, value, thread.index, waitUs, runUs)
    this.#reject(task, unpackThrown(value as Thrown), 'failed', thread.index, waitUs, runUs)
  }

  /** A handler has ended: its slot is free, whether anybody still waits for the result or not. */
  #end(thread: Thread, task: Task, waitUs: number, runUs: number, isError: boolean): void {
    this.#dispatcher.release(task)
    this.#meter.count(thread, task.name, waitUs, runUs, isError)
    if (waitUs > this.#longestWaitUs) this.#longestWaitUs = waitUs
    if (this.#crew.guard.progressed()) this.#announce('breakerClose')
  }

  #publish(
    task: Task,
    outcome: TaskDiagnostics['outcome'],
    thread: number,
    waitUs: number,
    runUs: number,
    error: unknown,
  ): void {
    if (!channels.task.hasSubscribers) return
    const message: TaskDiagnostics = {
      pool: this.#options.name,
      name: task.name,
      outcome,
      thread,
      waitMs: waitUs / 1000,
      runMs: runUs / 1000,
      ...(error === undefined ? {} : { error }),
    }
    channels.task.publish(message)
  }

  // Giving up.

  #listen(task: Task, tell?: () => void): void {
    if (task.signal === undefined) return
    task.listen(() => {
      tell?.()
      this.#giveUp(task, task.signal?.reason, 'cancelled')
    })
  }

  #giveUp(task: Task, error: unknown, outcome: TaskDiagnostics['outcome']): void {
    if (task.isSettled) return
    if (!task.isAccepted) {
      task.reject(error)
      return
    }
    if (!this.#dispatcher.cancel(task)) this.#cancelRun(task)
    this.#reject(task, error, outcome)
  }

  #cancelRun(task: Task): void {
    const { table } = this.#dispatcher
    table.requestCancel(task.tag)
    this.#threadOf(task)?.post({ type: 'cancel', tag: task.tag })
    const { killAfterMs } = this.#options
    if (killAfterMs !== Infinity) this.#limits.killAt(task, now() + killAfterMs)
  }

  #threadOf(task: Task): Thread | undefined {
    const index = this.#dispatcher.table.thread(task.tag)
    for (const thread of this.#crew.threads) if (thread.index === index) return thread
    return undefined
  }

  // Listening to threads.

  #ready(thread: Thread): void {
    this.#names = new Set(thread.names)
    this.#dispatcher.handlers = this.#crew.handlers
    this.#tell('workerReady', thread, {})
  }

  #receive(thread: Thread, message: ToPool): void {
    switch (message.type) {
      case 'ask':
        if (message.held !== undefined) {
          this.#dispatcher.keep(message.held.tag, message.held.item)
        }
        this.#values.send(thread, message.tags)
        break
      case 'result':
      case 'error': {
        const task = this.#dispatcher.find(message.tag)
        if (task === undefined) break
        const isError = message.type === 'error'
        const value: unknown = isError ? message.error : message.value
        const waitUs = microseconds(message.startedAt - task.since)
        this.#finish(thread, task, value, isError, waitUs, message.runUs)
        this.#dispatcher.feed()
        break
      }
      case 'unreadable':
        this.#recovery.takeStock(thread)
        break
      case 'missing':
        this.#recovery.giveUpMissing(thread, message.tags)
        break
      case 'hello':
      case 'ready':
      case 'failed':
      case 'bye':
        break
      default:
        message satisfies never
    }
  }

  #sleep(): void {
    if (this.#state === 'closed' && this.#crew.threads.size === 0) return
    if (!this.#doorbell.sleep(() => !this.#hasCompletions())) setImmediate(() => this.#drain())
  }

  #hasCompletions(): boolean {
    for (const thread of this.#crew.threads) if (thread.hasCompletions) return true
    return false
  }

  #drain(): void {
    this.#readAll()
    if (!this.#lookout.isLooking) this.#sleep()
  }

  /** All that is there by now. Where this thread was busy, timers come before messages that have long been there. */
  #hearAll(): void {
    for (const thread of this.#crew.threads) this.#hear(thread)
    this.#drain()
  }

  #hear(thread: Thread): void {
    thread.hear()
    this.#read(thread, Infinity)
  }

  /** @returns whether anything was there */
  #readAll(): boolean {
    let count = 0
    for (const thread of this.#crew.threads) count += this.#read(thread, readLimit)
    this.#dispatcher.feed()
    return count > 0
  }

  #read(thread: Thread, limit: number): number {
    this.#reading = thread
    const count = thread.readCompletions(limit, this.#listener)
    this.#reading = undefined
    return count
  }

  // Watching over the threads.

  #forRecovery(): RecoveryListener {
    return {
      beforeRecovery: (thread) => {
        while (this.#read(thread, readLimit) > 0) {
          // All that it has published.
        }
      },
      onRetry: () => this.#meter.retried++,
      onQuarantine: ({ name, key }, crashes) => {
        this.#announce('taskQuarantined', { name, key, crashes })
      },
      onLost: (task, error, outcome) => this.#reject(task, error, outcome),
    }
  }

  #tick(): void {
    // Also the insurance against a wake-up that never came.
    this.#drain()
    this.#observe()
    // After that: where a thread is free, what is sent here is no reason to start one.
    this.#held.giveBack(this.#crew.threads)
  }

  #observe(): void {
    let waitMs = this.#longestWaitUs / 1000
    this.#longestWaitUs = 0
    const waiting = this.#dispatcher.waiting
    if (this.#probe === undefined || !this.#dispatcher.isWaiting(this.#probe)) {
      // Also what a thread has taken and given back.
      this.#probe = waiting > 0 ? this.#dispatcher.longestWaiting() : undefined
    }
    if (this.#probe !== undefined) waitMs = Math.max(waitMs, now() - this.#probe.since)
    this.#crew.observe(waiting, waitMs)
    const isQuiet = this.#pending === 0
    const canShrink = this.#crew.threads.size > this.minThreads
    this.#keepAlive.rest(isQuiet, canShrink ? this.#options.idleTimeoutMs : Infinity)
  }

  async #lose(thread: Thread): Promise<void> {
    this.#dispatcher.handlers = this.#crew.handlers
    await this.#recovery.recover(thread)
    this.#tellExit(thread)
    this.#dispatcher.feed()
    this.#observe()
  }

  #tellExit(thread: Thread): void {
    const { exitCode, error, wasAsked: expected } = thread
    this.#tell('workerDestroy', thread, { exitCode, expected, error })
    if (error !== undefined) this.#tellError(error)
  }

  #tellError(error: unknown): void {
    if (this.listenerCount('error') > 0) this.#announce('error', error)
  }

  #tell(
    event: 'workerCreate' | 'workerReady' | 'workerDestroy',
    thread: Thread,
    facts: object,
  ): void {
    const { index, threadId } = thread
    const message = { thread: index, threadId, ...facts }
    this.#announce(event, message)
    if (channels.thread.hasSubscribers) {
      channels.thread.publish({ pool: this.#options.name, event, ...message })
    }
  }

  /**
   * Emits an event, often with a task or a thread half dealt with: what a listener throws is an uncaught exception of
   * the process, as that of a subscriber of a diagnostics channel is, and the pool goes on.
   */
  #announce(event: keyof PoolEvents, ...facts: unknown[]): void {
    try {
      // The compiler does not see that the facts belong to the event.
      ;(this as EventEmitter).emit(event, ...facts)
    } catch (error) {
      process.nextTick(() => {
        throw error
      })
    }
  }

  #brokenError(): ThreadPoolError {
    const { lastError, deaths } = this.#crew.guard
    // The first start has failed: that is the news, not the loop.
    if (lastError instanceof ThreadPoolError && deaths <= Math.max(1, this.minThreads)) {
      return lastError
    }
    return new ThreadPoolError(
      'ERR_CRASH_LOOP',
      `Threads have died ${deaths} times in a row: none is started for ${this.#options.crashLoopPauseMs} ms`,
      { cause: lastError },
    )
  }

  // Ending.

  async #close(timeoutMs: number): Promise<CloseReport> {
    if (this.#state === 'open') this.#state = 'closing'
    this.#keepAlive.hold()
    const deadline = now() + timeoutMs
    const error = new ThreadPoolError(
      'ERR_POOL_CLOSED',
      'The pool was closed before the task began',
    )
    this.#refuseCallers(error)
    const isEmpty = await this.#empty(timeoutMs)
    // Another text: whoever reads that it had not begun would run it a second time.
    const cut = new ThreadPoolError('ERR_POOL_CLOSED', 'The pool was closed while the task ran')
    const unstarted = isEmpty ? [] : this.#abandon(error, cut)
    this.#abandonHere(cut)
    this.#state = 'closed'
    await this.#endThreads(Math.max(0, deadline - now()))
    await this.#endCaller(Math.max(0, deadline - now()))
    return { unstarted }
  }

  /** As threads end: what `teardown` throws is told, and one that does not end is not waited for. */
  async #endCaller(timeoutMs: number): Promise<void> {
    this.#callerEnd ??= this.#caller.close().catch((error: unknown) => this.#tellError(error))
    await isDoneWithin(this.#callerEnd, timeoutMs + lastWaitMs)
  }

  /** Waits until nothing is pending. @returns false if the time is over before */
  async #empty(timeoutMs: number): Promise<boolean> {
    if (this.#pending === 0) return true
    return new Promise((resolve) => {
      const end = (): void => {
        this.#values.hold()
        this.#hearAll()
        resolve(this.#pending === 0)
      }
      const timer = timeoutMs > maxTimerMs ? undefined : setTimeout(end, timeoutMs)
      this.#onEmpty = () => {
        clearTimeout(timer)
        resolve(true)
      }
    })
  }

  /**
   * Rejects all that waits for a thread or that one has.
   * @param cut for what a thread has
   * @returns what had not started
   */
  #abandon(error: ThreadPoolError, cut = error): UnstartedTask[] {
    const unstarted: Task[] = []
    const begun: Task[] = []
    for (const task of Array.from(this.#dispatcher.all())) {
      if (task.isSettled) continue
      // What was moved cannot be given back: it is left to its thread, which may begin it in this moment.
      if (!task.isMoved && this.#dispatcher.cancel(task)) unstarted.push(task)
      else begun.push(task)
    }
    // Only now: a thread whose task ends takes the next one.
    for (const task of begun) this.#cancelRun(task)
    // Before they are settled, by which they let go of their values.
    const report = unstarted
      .toSorted((a, b) => a.since - b.since)
      .map(({ value, name, priority }) => ({ task: value, name, priority }))
    for (const task of begun) this.#reject(task, cut, 'dropped')
    for (const task of unstarted) this.#reject(task, error, 'dropped')
    return report
  }

  /** Rejects what runs in this thread, which goes on until its handler looks at its signal. */
  #abandonHere(error: ThreadPoolError): void {
    for (const [task, controller] of this.#here) {
      if (task.isSettled) continue
      controller.abort(error)
      this.#reject(task, error, 'dropped')
    }
  }

  /** Lets threads end by themselves for a while, then by force, then goes on without them. */
  async #endThreads(timeoutMs: number): Promise<void> {
    this.#keepAlive.hold()
    this.#crew.close()
    const threads = [...this.#crew.threads]
    for (const thread of threads) thread.stop()
    this.#dispatcher.queue.close()
    const all = Promise.all(threads.map((thread) => thread.exited))
    const hasEnded = await isDoneWithin(all, timeoutMs)
    if (!hasEnded && this.#options.terminable) for (const thread of threads) thread.terminate()
    if (!hasEnded) await isDoneWithin(all, lastWaitMs)
    this.#limits.stop()
    this.#doorbell.ring()
    this.#keepAlive.stop()
  }
}

async function isDoneWithin(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<boolean>((resolve) => {
    if (timeoutMs <= maxTimerMs) timer = setTimeout(() => resolve(false), timeoutMs)
  })
  try {
    return await Promise.race([work.then(() => true), timeout])
  } finally {
    clearTimeout(timer)
  }
}
