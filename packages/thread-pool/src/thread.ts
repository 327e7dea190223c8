// One worker thread as the pool sees it: started, ready, stopping, gone.
import { MessageChannel } from 'node:worker_threads'
import type { MessagePort, TransferListItem, WorkerOptions } from 'node:worker_threads'
import type { WorkQueueHandle } from '@elkyn/work-queue'
import { now } from './clock.ts'
import { CompletionReader } from './completion-ring.ts'
import type { CompletionListener } from './completion-ring.ts'
import { unpackThrown } from './error-codec.ts'
import { ThreadPoolError } from './errors.ts'
import { Histogram } from './histogram.ts'
import { maxTimerMs } from './max-timer-ms.ts'
import { controlBytes, ControlTime, ControlWord } from './messages.ts'
import type { BootMessage, ToPool, ToThread } from './messages.ts'
import type { ResolvedOptions } from './options.ts'
import { receiveAll } from './receive-all.ts'
import { lateStartError, silentStartError, startError } from './task-errors.ts'

/** The part of `Worker` that a pool uses. Tests bring their own. */
export interface WorkerLike {
  readonly threadId: number
  postMessage(message: BootMessage, transferList: readonly TransferListItem[]): void
  terminate(): Promise<unknown>
  unref(): void
  on(event: 'error', listener: (error: unknown) => void): unknown
  on(event: 'exit', listener: (exitCode: number) => void): unknown
}

/** Starts a thread. */
export type StartWorker = (entry: URL, options: WorkerOptions) => WorkerLike

/** What all threads of a pool share. */
export interface ThreadSurroundings {
  readonly options: ResolvedOptions
  readonly queue: WorkQueueHandle
  readonly tasks: SharedArrayBuffer
  readonly doorbell: SharedArrayBuffer
  readonly startWorker: StartWorker
  /** Names of the handlers by their numbers, once a thread has said them. */
  readonly handlers: readonly string[] | undefined
  onReady(thread: Thread): void
  onMessage(thread: Thread, message: ToPool): void
  onExit(thread: Thread): void
}

/** `starting`, then `ready`, then `stopping` if it was asked to, then `exited`. */
export type ThreadState = 'starting' | 'ready' | 'stopping' | 'exited'

/** A thread of a pool. */
export class Thread {
  readonly index: number
  readonly threadId: number
  readonly waits: Histogram = new Histogram()
  readonly runs: Histogram = new Histogram()
  /** When it was, on the clock that threads share; 0 before. */
  readyAt = 0
  completed = 0
  failed = 0
  state: ThreadState = 'starting'
  /** Names of the handlers. */
  names: string[] = []
  /** The same by the numbers that it knows them by, once that is certain. */
  handlers: readonly string[] | undefined
  exitCode = 0
  /** Why it died or did not start. */
  error: unknown
  /** Its number in the queue, from the moment it is ready. */
  participant = -1
  /** Whether the pool has terminated it on purpose. */
  isKilled = false
  /** Whether it is there no more. It still counts as one of the threads until what it has said was heard. */
  hasEnded = false
  /** Whether it ended because the pool wanted it to. */
  wasAsked = false
  readonly #completions: CompletionReader
  readonly #control = new SharedArrayBuffer(controlBytes)
  readonly #words = new Int32Array(this.#control)
  readonly #times = new Float64Array(this.#control)
  readonly #worker: WorkerLike
  readonly #port: MessagePort
  readonly #around: ThreadSurroundings
  readonly #timer: NodeJS.Timeout | undefined
  #hasSaidHello = false
  /** Messages to it so far, modulo 2^32. */
  #posted = 0
  readonly #exited: Promise<void>
  #setExited: () => void = () => {}

  constructor(index: number, around: ThreadSurroundings) {
    const { options } = around
    this.index = index
    this.#around = around
    this.handlers = around.handlers
    this.#completions = new CompletionReader(options.completionBytes)
    this.#exited = new Promise((resolve) => {
      this.#setExited = resolve
    })
    this.#worker = around.startWorker(options.entry, {
      ...options.thread,
      name: `${options.name}-${index}`,
    })
    this.threadId = this.#worker.threadId
    this.#worker.on('error', (error) => {
      this.error ??= error
    })
    this.#worker.on('exit', (exitCode) => this.#exit(exitCode))
    // Tasks hold the process, not threads.
    this.#worker.unref()
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    port1.on('message', (message: ToPool) => this.#receive(message))
    port1.on('messageerror', () => this.#receiveUnreadable())
    port1.unref()
    this.#boot(port2)
    this.#timer = this.#limitStart(options.startTimeoutMs)
  }

  #boot(port: MessagePort): void {
    const { options, queue, tasks, doorbell } = this.#around
    const boot: BootMessage = {
      type: 'boot',
      port,
      worker: options.worker,
      thread: this.index,
      concurrency: options.concurrency,
      handlers: this.handlers,
      queue,
      tasks,
      doorbell,
      completions: this.#completions.buffer,
      control: this.#control,
    }
    this.#worker.postMessage(boot, [port])
  }

  #limitStart(timeoutMs: number): NodeJS.Timeout | undefined {
    if (timeoutMs > maxTimerMs) return undefined
    const timer = setTimeout(() => {
      // On a busy machine timers come before messages that have long been there.
      this.#hearAll()
      if (this.participant !== -1) return
      const { options } = this.#around
      this.fail(
        this.#hasSaidHello
          ? lateStartError(options.worker, timeoutMs)
          : silentStartError(options.entry, timeoutMs),
      )
    }, timeoutMs)
    timer.unref()
    return timer
  }

  /** Time with tasks in hand so far, in milliseconds, at a time on the clock that threads share. */
  busyMs(time: number): number {
    const since = this.#times[ControlTime.BusySince] ?? 0
    const current = since > 0 && this.state !== 'exited' ? Math.max(0, time - since) : 0
    return (this.#times[ControlTime.Busy] ?? 0) + current
  }

  get isBusy(): boolean {
    return (this.#times[ControlTime.BusySince] ?? 0) > 0
  }

  /** Whether it is ready and runs nothing, not even what was given up. */
  get isIdle(): boolean {
    return this.state === 'ready' && !this.hasEnded && !this.isBusy
  }

  /** Whether it hears messages at once: it is not blocked in a wait for the queue. */
  get isListening(): boolean {
    return Atomics.load(this.#words, ControlWord.Blocked) === 0
  }

  get hasCompletions(): boolean {
    return !this.#completions.isEmpty
  }

  readCompletions(limit: number, listener: CompletionListener): number {
    return this.#completions.read(limit, listener)
  }

  /**
   * Hears what it has said by now, and at most one answer of later: as what it asks for is sent at once, it might go on answering
   * until no task is left.
   */
  hear(): void {
    const time = now()
    receiveAll(
      this.#port,
      (message: ToPool) => {
        this.#receive(message)
        return !isLater(message, time)
      },
      () => this.#receiveUnreadable(),
    )
  }

  /** @returns the number of the message @throws what cannot be cloned */
  post(message: ToThread, transferList: readonly TransferListItem[] = []): number {
    this.#port.postMessage(message, transferList)
    const number = this.#posted
    this.#posted = (number + 1) | 0
    return number
  }

  /** The same for a task that it has not asked for, which it hears before it takes what is put into the queue from now on. */
  give(message: ToThread, transferList: readonly TransferListItem[] = []): number {
    const number = this.post(message, transferList)
    Atomics.store(this.#words, ControlWord.Given, this.#posted)
    return number
  }

  /**
   * Whether it may have died of reading a message: of nothing but a lack of memory, which no handler used up that was being called, and
   * when it had heard all messages before this one and not this one.
   */
  mayHaveDiedOf(message: number): boolean {
    return (
      isOutOfMemory(this.error) &&
      this.#words[ControlWord.Calling] === 0 &&
      this.#words[ControlWord.Heard] === message
    )
  }

  /** Asks it to finish what is in hand and to end. */
  stop(): void {
    if (this.state === 'exited') return
    this.state = 'stopping'
    Atomics.store(this.#words, ControlWord.Stop, 1)
    this.post({ type: 'stop' })
  }

  /** Ends it without its help. Its `exit` may be late, or never come if native code hangs. */
  terminate(): void {
    if (this.state === 'exited') return
    this.isKilled = true
    void this.#worker.terminate()
  }

  /** Ends it because it is of no use. */
  fail(error: unknown): void {
    this.error ??= error
    // Should it come to itself, it is to take no task.
    Atomics.store(this.#words, ControlWord.Stop, 1)
    if (!this.#around.options.terminable) return this.#exit(-1)
    void this.#worker.terminate()
    // Native code can hold a thread for ever; it has no part in the queue yet.
    setTimeout(() => this.#exit(-1), 5000).unref()
  }

  /** When it has exited. */
  get exited(): Promise<void> {
    return this.#exited
  }

  #receive(message: ToPool): void {
    switch (message.type) {
      case 'hello':
        this.#hasSaidHello = true
        break
      case 'ready':
        clearTimeout(this.#timer)
        this.names = message.names
        this.handlers ??= message.names
        this.readyAt = now()
        this.participant = message.participant
        if (this.state === 'starting') this.state = 'ready'
        this.#around.onReady(this)
        break
      case 'failed': {
        const { worker } = this.#around.options
        this.error = startError(message.step, worker, unpackThrown(message.error))
        break
      }
      case 'bye':
        if (message.error !== undefined) this.error ??= unpackThrown(message.error)
        break
      case 'ask':
      case 'result':
      case 'error':
      case 'unreadable':
      case 'missing':
        this.#around.onMessage(this, message)
        break
      default:
        message satisfies never
    }
  }

  #exit(exitCode: number): void {
    if (this.hasEnded) return
    clearTimeout(this.#timer)
    // Before it is heard: what it has asked for is not sent to it any more, nor anything else.
    this.hasEnded = true
    // What it has said before its end is still to be heard.
    this.#hearAll()
    this.#port.close()
    this.exitCode = exitCode
    this.wasAsked = this.state === 'stopping' || this.isKilled
    // One that the pool has ended before it was ready has not failed.
    const hasFailed = !this.wasAsked || this.error !== undefined
    if (this.participant === -1 && hasFailed) this.error = this.#startError()
    this.state = 'exited'
    this.#around.onExit(this)
    this.#setExited()
  }

  /** Without a turn of the event loop. */
  #hearAll(): void {
    receiveAll(
      this.#port,
      (message: ToPool) => this.#receive(message),
      () => this.#receiveUnreadable(),
    )
  }

  #receiveUnreadable(): void {
    this.#receive({ type: 'unreadable' })
  }

  #startError(): unknown {
    const { error } = this
    if (error instanceof ThreadPoolError) return error
    const { options } = this.#around
    const where = this.#hasSaidHello ? options.worker : options.entry.href
    const reason = error instanceof Error ? error.message : `it exited with code ${this.exitCode}`
    return new ThreadPoolError(
      'ERR_WORKER_START',
      `Cannot start a thread from ${where}: ${reason}`,
      {
        exitCode: this.exitCode,
        ...(error === undefined ? {} : { cause: error }),
      },
    )
  }
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && Reflect.get(error, 'code') === 'ERR_WORKER_OUT_OF_MEMORY'
}

/** Whether a message answers a task that has ended after a time. */
function isLater(message: ToPool, time: number): boolean {
  if (message.type !== 'result' && message.type !== 'error') return false
  return message.startedAt + message.runUs / 1000 > time
}
