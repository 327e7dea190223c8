// The loop of a thread: take a task, run it, publish its result, until told to stop.
import { isMainThread, markAsUntransferable } from 'node:worker_threads'
import type { MessagePort, TransferListItem } from 'node:worker_threads'
import { attachWorkQueue } from '@elkyn/work-queue'
import type { WorkItem, WorkQueue } from '@elkyn/work-queue'
import { microseconds, now } from './clock.ts'
import { CompletionWriter } from './completion-ring.ts'
import { isMoved } from './define-worker.ts'
import type { Handler, WorkerDefinition } from './define-worker.ts'
import { ringDoorbell } from './doorbell.ts'
import { notCloneable, packThrown } from './error-codec.ts'
import {
  ControlTime,
  ControlWord,
  ItemFlag,
  itemHeaderBytes,
  namedHandler,
  Outcome,
  valueStart,
} from './messages.ts'
import type { BootMessage, ToPool, ToThread } from './messages.ts'
import { receiveAll } from './receive-all.ts'
import { unknownHandlerError } from './task-errors.ts'
import { TaskRun } from './task-run.ts'
import type { ThreadScope } from './task-run.ts'
import { TaskTable } from './task-table.ts'
import { readValue, ValueKind, ValueWriter } from './value-codec.ts'

// A loop that never turns runs no timers, flushes no logs and finalises nothing.
const tasksPerTurn = 256
const msPerTurn = 5
// Values on their way from the pool, so that asking costs no round trip a task,
const maxAsked = 16
// and not more than are run within so many milliseconds: another thread may be free for them.
const aheadMs = 2

// A thread blocks where the wait before was shorter than this.
const quickMs = 2
// For how long at most: timers and messages are late by no more than this. Not shorter, because a time limit below the
// kernel's tick makes it program its timer at each sleep, which in a virtual machine costs more than the wake-up.
const sliceMs = 5

/** A task that was taken and waits for its value, or for a free hand. */
interface Taken {
  tag: number
  name: string
}

/** Runs the tasks of one thread. */
export class WorkerRuntime {
  readonly #boot: BootMessage
  readonly #port: MessagePort
  readonly #queue: WorkQueue
  readonly #tasks: TaskTable
  readonly #completions: CompletionWriter
  readonly #doorbell: Int32Array
  readonly #control: Int32Array
  readonly #times: Float64Array
  readonly #writer = new ValueWriter()
  readonly #scope: ThreadScope
  #definition: WorkerDefinition = { handlers: {} }
  #names: string[] = []
  /** The handlers by the numbers that items have. */
  #numbered: readonly string[] = []
  /** Asynchronous runs that have not ended. */
  readonly #running = new Map<number, TaskRun>()
  readonly #asked = new Map<number, Taken>()
  readonly #arrived: { taken: Taken; value: unknown }[] = []
  /**
   * May not begin before those that were taken before it and wait for their values. Needs none itself, or one that moves here and
   * could not come back: that is asked for only where a hand is free for it.
   */
  #held: WorkItem | undefined
  #askNow: number[] = []
  /** The same as `#held`, until the pool was told. */
  #untold: WorkItem | undefined
  /** How many values may be asked for beyond those that can be run at once. */
  #ahead = 1
  /** Interrupts the wait for the next item. */
  #interruption = new AbortController()
  #waiting = false
  #wakeIdle: (() => void) | undefined
  #mayBlock = !isMainThread
  /** Whether the run under way is of a task that came alone, by a message. */
  #isAlone = false
  /** Whether it hears messages of which one may go before what is held. */
  #isHearing = false
  #itemMemory: Buffer = Buffer.alloc(0)
  #itemBuffer: ArrayBufferLike = this.#itemMemory.buffer
  /** When the last handler returned or run ended, or 0 if something was waited for since. */
  #clock = 0

  constructor(boot: BootMessage, workerData: unknown) {
    this.#boot = boot
    this.#port = boot.port
    this.#queue = attachWorkQueue(boot.queue)
    this.#tasks = new TaskTable(boot.tasks)
    this.#completions = new CompletionWriter(boot.completions)
    this.#doorbell = new Int32Array(boot.doorbell)
    this.#control = new Int32Array(boot.control)
    this.#times = new Float64Array(boot.control)
    this.#scope = { thread: boot.thread, workerData, tasks: this.#tasks, state: undefined }
  }

  /**
   * Runs tasks until the pool says stop or the queue is closed and drained.
   * @param definition the worker module @param state what its `setup` returned
   */
  async run(definition: WorkerDefinition, state: unknown): Promise<void> {
    this.#definition = definition
    this.#scope.state = state
    this.#names = Object.keys(definition.handlers)
    this.#numbered = this.#boot.handlers ?? this.#names
    this.#port.on('message', (message: ToThread) => this.#receive(message))
    this.#port.on('messageerror', () => this.#tellUnreadable())
    this.#post({ type: 'ready', participant: this.#queue.participant, names: this.#names })
    await this.#loop()
    // The pool may have sent a task before it said stop, which the loop sees without a turn of the event loop.
    this.#receiveAll()
    while (this.#running.size > 0 || this.#isWaitingForValues || this.#held !== undefined) {
      await this.#idle()
    }
    this.#queue.detach()
    let error: unknown
    try {
      await definition.teardown?.(state)
    } catch (thrown) {
      error = thrown
    }
    this.#post(error === undefined ? { type: 'bye' } : { type: 'bye', error: packThrown(error) })
    this.#port.removeAllListeners('message')
  }

  async #loop(): Promise<void> {
    let tasks = 0
    let turnedAt = now()
    while (!this.#isStopped()) {
      if (!this.#hasFreeHand()) {
        await this.#idle()
        this.#clock = 0
        continue
      }
      let item = this.#queue.tryDequeue() ?? this.#block()
      if (item === undefined) {
        this.#sendAsks()
        const since = now()
        item = await this.#wait()
        tasks = 0
        turnedAt = this.#clock = now()
        this.#mayBlock = item !== undefined && this.#clock - since < quickMs && !isMainThread
        if (item === undefined) {
          if (this.#queue.drained) return
          continue
        }
      }
      if (this.#hasUnheardTask) this.#hearBefore(item)
      else this.#accept(item)
      if (++tasks >= tasksPerTurn || this.#clock - turnedAt > msPerTurn) {
        this.#sendAsks()
        await new Promise(setImmediate)
        tasks = 0
        turnedAt = this.#clock = now()
      }
    }
  }

  get #hasUnheardTask(): boolean {
    const { Given, Heard } = ControlWord
    return (((this.#control[Given] ?? 0) - (this.#control[Heard] ?? 0)) | 0) > 0
  }

  /**
   * Blocks for a slice of time, where tasks come quickly: being woken from that takes half as long.
   * Not while anything else could go on in this thread.
   */
  #block(): WorkItem | undefined {
    if (!this.#mayBlock || this.#running.size + this.#asked.size > 0) return undefined
    // A hint for the pool, which need not see it at once: plain writes are enough.
    this.#control[ControlWord.Blocked] = 1
    const item = this.#queue.dequeueSync({ timeoutMs: sliceMs })
    this.#control[ControlWord.Blocked] = 0
    this.#clock = 0
    if (item === undefined) this.#mayBlock = false
    return item
  }

  /** Waits for an item. Undefined when interrupted, or when the queue is drained. */
  async #wait(): Promise<WorkItem | undefined> {
    if (this.#interruption.signal.aborted) this.#interruption = new AbortController()
    const { signal } = this.#interruption
    this.#waiting = true
    try {
      return await this.#queue.dequeue({ signal })
    } catch (error) {
      if (signal.aborted) return undefined
      throw error
    } finally {
      this.#waiting = false
    }
  }

  /** Ends the wait for an item that could not be run now. */
  #interrupt(): void {
    if (this.#waiting && (!this.#hasFreeHand() || this.#isStopped())) this.#interruption.abort()
    this.#wakeIdle?.()
  }

  #isStopped(): boolean {
    return Atomics.load(this.#control, ControlWord.Stop) !== 0
  }

  /** Whether anything was taken that cannot begin yet: its value has to come, or a hand has to be free. */
  get #isWaitingForValues(): boolean {
    return this.#asked.size + this.#arrived.length > 0
  }

  #hasFreeHand(): boolean {
    if (this.#held !== undefined) return false
    const { concurrency } = this.#boot
    const inHand = this.#running.size + this.#arrived.length
    if (inHand >= concurrency) return false
    return this.#asked.size < Math.max(this.#ahead, concurrency - inHand)
  }

  /** Waits until a run ends or a value arrives. */
  async #idle(): Promise<void> {
    this.#sendAsks()
    await new Promise<void>((resolve) => {
      this.#wakeIdle = resolve
    })
    this.#wakeIdle = undefined
  }

  #accept(item: WorkItem): void {
    const { tag, bytes } = item
    const kind = bytes[0] ?? 0
    if (!this.#isNext(item)) return this.#hold(item)
    const handler = (bytes[2] ?? 0) | ((bytes[3] ?? 0) << 8)
    const nameBytes = handler >= namedHandler ? 2 * (handler - namedHandler) : 0
    const memory = this.#memoryOf(bytes)
    const begin = bytes.byteOffset + itemHeaderBytes
    const name =
      nameBytes > 0
        ? memory.toString('utf16le', begin, begin + nameBytes)
        : (this.#numbered[handler] ?? '')
    if (kind === ValueKind.Port) return this.#ask(item, name)
    if (!this.#mayStart(item)) return
    if (((bytes[1] ?? 0) & ItemFlag.Timed) !== 0) this.#tasks.noteStart(tag, this.#startTime())
    const start = valueStart(nameBytes)
    const value =
      kind === ValueKind.Bytes
        ? bytes.subarray(start)
        : readValue(kind, memory, bytes.byteOffset + start, bytes.byteOffset + bytes.length)
    this.#start(tag, name, value)
  }

  /** Whether it may begin now, or its value be asked for. */
  #isNext({ bytes }: WorkItem): boolean {
    const { concurrency } = this.#boot
    if (bytes[0] !== ValueKind.Port) {
      return !this.#isWaitingForValues && this.#running.size < concurrency
    }
    if (((bytes[1] ?? 0) & ItemFlag.Moved) === 0) return true
    return this.#running.size + this.#asked.size + this.#arrived.length < concurrency
  }

  /** Keeps the order: what was taken before it has not begun. Nothing else is taken until it has. */
  #hold(item: WorkItem): void {
    if (!this.#take(item.tag)) return
    this.#held = item
    // The pool has the items of those whose values it sends.
    if (item.bytes[0] !== ValueKind.Port) this.#untold = item
  }

  /** A task that was sent here before the item came goes before it, and can go nowhere else. */
  #hearBefore(item: WorkItem): void {
    this.#hold(item)
    // Of that the pool has to know: this thread may die of the other task.
    this.#sendAsks()
    this.#isHearing = true
    this.#receiveAll()
    this.#isHearing = false
    this.#startHeld()
  }

  #startHeld(): void {
    const held = this.#held
    if (held === undefined || this.#isHearing || !this.#isNext(held)) return
    this.#clock = now()
    this.#accept(held)
  }

  /** T1 and T3, or T3 alone for what was held. @returns false if the task was cancelled */
  #mayStart(item: WorkItem): boolean {
    if (item !== this.#held) return this.#tasks.takeAndStart(item.tag, this.#boot.thread)
    this.#held = this.#untold = undefined
    return this.#tasks.start(item.tag, this.#boot.thread)
  }

  /** All of the memory in which an item lies: many items lie in the same. */
  #memoryOf(bytes: Uint8Array): Buffer {
    const { buffer } = bytes
    if (buffer !== this.#itemBuffer) {
      this.#itemBuffer = buffer
      if (buffer.byteLength > bytes.byteLength) markAsUntransferable(buffer)
      this.#itemMemory = Buffer.from(buffer)
    }
    return this.#itemMemory
  }

  #ask(item: WorkItem, name: string): void {
    const { tag } = item
    const isHeld = item === this.#held
    if (isHeld) this.#held = undefined
    if (!(isHeld ? this.#tasks.isTakenBy(tag, this.#boot.thread) : this.#take(tag))) return
    // Messages are to be heard at once.
    this.#mayBlock = false
    this.#asked.set(tag, { tag, name })
    this.#askNow.push(tag)
  }

  /** T1. @returns false if the task was given up, or if its item is a nudge: the pool has sent the task itself before */
  #take(tag: number): boolean {
    if (this.#tasks.take(tag, this.#boot.thread)) return true
    if (this.#tasks.thread(tag) === this.#boot.thread) this.#receiveAll()
    return false
  }

  #sendAsks(): void {
    const untold = this.#untold
    if (this.#askNow.length === 0 && untold === undefined) return
    // A copy: a message takes all of the memory along in which the bytes lie.
    const held = untold && { tag: untold.tag, item: new Uint8Array(untold.bytes) }
    this.#post({ type: 'ask', tags: this.#askNow, held })
    this.#askNow = []
    this.#untold = undefined
  }

  #startTime(): number {
    return this.#clock === 0 ? (this.#clock = now()) : this.#clock
  }

  #start(tag: number, name: string, value: unknown): void {
    const startedAt = this.#startTime()
    const run = new TaskRun(this.#scope, tag, name, startedAt)
    if (this.#running.size === 0) this.#times[ControlTime.BusySince] = startedAt
    try {
      const handlers: Record<string, Handler> = this.#definition.handlers
      if (!Object.hasOwn(handlers, name)) throw unknownHandlerError(name, this.#names)
      // For who looks when this thread has ended of it.
      this.#control[ControlWord.Calling] = 1
      const result = handlers[name]?.(value as never, run)
      this.#control[ControlWord.Calling] = 0
      if (isThenable(result)) return this.#follow(run, result)
      this.#return(run, result)
    } catch (error) {
      this.#control[ControlWord.Calling] = 0
      this.#throw(run, error)
    }
  }

  #follow(run: TaskRun, result: PromiseLike<unknown>): void {
    this.#running.set(run.tag, run)
    // It may have been busy until now, and the next task begins before it ends.
    this.#clock = now()
    // Not awaited: the loop takes other tasks meanwhile, and a thenable may not be a promise.
    result.then(
      (value) => {
        this.#return(run, value)
        return this.#goOn()
      },
      (error: unknown) => {
        this.#throw(run, error)
        return this.#goOn()
      },
    )
  }

  /** A hand is free again. */
  #goOn(): void {
    this.#startArrived()
    this.#wakeIdle?.()
  }

  /** A handler is through: the account is closed before the pool can see the result. */
  #end(run: TaskRun): void {
    this.#clock = now()
    const inTime = Math.floor(aheadMs / (this.#clock - run.startedAt))
    this.#ahead = Math.max(1, Math.min(this.#ahead + 1, inTime, maxAsked))
    if (this.#running.size > 0) this.#running.delete(run.tag)
    if (this.#running.size > 0) return
    const since = this.#times[ControlTime.BusySince] ?? 0
    if (since === 0) return
    this.#times[ControlTime.BusySince] = 0
    this.#times[ControlTime.Busy] = (this.#times[ControlTime.Busy] ?? 0) + this.#clock - since
  }

  #return(run: TaskRun, result: unknown): void {
    this.#end(run)
    try {
      const value = isMoved(result) ? result.value : result
      const transferList = isMoved(result) ? result.transferList : []
      if (transferList.length > 0) return this.#postResult(run, value, transferList)
      const writer = this.#writer
      writer.prepare(value, this.#isAlone)
      if (writer.kind === ValueKind.Port || !this.#publish(run, Outcome.Returned)) {
        writer.clear()
        this.#postResult(run, value, [])
      }
    } catch (error) {
      // A getter has thrown, or it cannot be cloned.
      this.#fail(run, notCloneable('return', error))
    }
  }

  #throw(run: TaskRun, thrown: unknown): void {
    this.#end(run)
    this.#fail(run, thrown)
  }

  #fail(run: TaskRun, thrown: unknown): void {
    const error = packThrown(thrown)
    this.#writer.prepare(error)
    if (this.#writer.kind === ValueKind.Port || !this.#publish(run, Outcome.Threw)) {
      this.#writer.clear()
      const { tag, startedAt } = run
      this.#post({ type: 'error', tag, error, startedAt, runUs: this.#runUs(run) })
    }
  }

  /** Writes what the writer has prepared into the ring. @returns false if it has no room for it */
  #publish(run: TaskRun, outcome: number): boolean {
    const writer = this.#writer
    const { kind, byteLength } = writer
    if (byteLength > this.#completions.maxPayloadBytes) return false
    const offset = this.#completions.claim(byteLength)
    if (offset === -1) return false
    writer.write(this.#completions.bytes, offset)
    this.#completions.publish(
      byteLength,
      run.tag,
      (outcome << 8) | kind,
      run.startedAt,
      this.#runUs(run),
    )
    ringDoorbell(this.#doorbell)
    return true
  }

  #postResult(run: TaskRun, value: unknown, transferList: readonly TransferListItem[]): void {
    const { tag, startedAt } = run
    const message: ToPool = { type: 'result', tag, value, startedAt, runUs: this.#runUs(run) }
    this.#port.postMessage(message, transferList)
  }

  #runUs(run: TaskRun): number {
    return microseconds(this.#clock - run.startedAt)
  }

  /** What has arrived, without a turn of the event loop. */
  #receiveAll(): void {
    // Those that come like this are heard while it blocks.
    const mayBlock = this.#mayBlock
    this.#isAlone = true
    receiveAll(
      this.#port,
      (message: ToThread) => this.#receive(message),
      () => this.#tellUnreadable(),
    )
    this.#mayBlock = mayBlock
    this.#isAlone = false
  }

  #tellUnreadable(): void {
    this.#noteHeard()
    this.#post({ type: 'unreadable' })
  }

  /** Only the pool looks, when this thread has ended: plain reads and writes are enough. */
  #noteHeard(): void {
    this.#control[ControlWord.Heard] = (this.#control[ControlWord.Heard] ?? 0) + 1
  }

  #receive(message: ToThread): void {
    this.#noteHeard()
    switch (message.type) {
      case 'values':
        for (const [index, tag] of message.tags.entries()) {
          const taken = this.#asked.get(tag)
          this.#asked.delete(tag)
          if (taken !== undefined) this.#arrived.push({ taken, value: message.values[index] })
        }
        break
      case 'task': {
        const { tag, name, value } = message
        this.#mayBlock = false
        this.#arrived.push({ taken: { tag, name }, value })
        break
      }
      case 'no-value':
        this.#asked.delete(message.tag)
        break
      case 'cancel':
        this.#running.get(message.tag)?.abort()
        break
      case 'stock':
        this.#post({ type: 'missing', tags: message.tags.filter((tag) => !this.#isInHand(tag)) })
        // The value of one that was given up may be what could not be read: then it will not come.
        for (const tag of this.#asked.keys()) {
          if (!this.#tasks.isTakenBy(tag, this.#boot.thread)) this.#asked.delete(tag)
        }
        break
      case 'stop':
        break
      default:
        message satisfies never
    }
    // Also where a value will not come: something may have waited behind it.
    this.#startArrived()
    this.#interrupt()
  }

  /** Whether a task runs or is about to. One whose value is still asked for has not come, and will not. */
  #isInHand(tag: number): boolean {
    this.#asked.delete(tag)
    return this.#running.has(tag) || this.#arrived.some(({ taken }) => taken.tag === tag)
  }

  #startArrived(): void {
    while (this.#arrived.length > 0 && this.#running.size < this.#boot.concurrency) {
      const next = this.#arrived.shift()
      if (next === undefined) return
      const { tag, name } = next.taken
      this.#clock = now()
      if (this.#tasks.start(tag, this.#boot.thread)) {
        this.#tasks.noteStart(tag, this.#clock)
        this.#start(tag, name, next.value)
      }
    }
    this.#startHeld()
  }

  #post(message: ToPool): void {
    this.#port.postMessage(message)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}
