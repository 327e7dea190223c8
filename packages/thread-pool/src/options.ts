import { availableParallelism } from 'node:os'
import { isAbsolute, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ResourceLimits, SHARE_ENV, TransferListItem } from 'node:worker_threads'
import { maxSlots } from './task-table.ts'

/** What {@link ThreadPool.run} does while `maxQueue` tasks wait. */
export type WhenFull = 'reject' | 'wait' | 'run-in-caller' | 'drop-oldest'

/** How a pool is made. */
export interface ThreadPoolOptions {
  /**
   * The worker module: a file URL, or a path relative to the working directory. It exports what
   * `defineWorker()` returned, or plain functions.
   */
  worker: URL | string
  /** Threads, fixed: the same as `minThreads` and `maxThreads`. At most 991. */
  threads?: number
  /** Threads that are always there and started at once; 0 is allowed. Default: 1. */
  minThreads?: number
  /** Threads at most. Default: what `os.availableParallelism()` says. */
  maxThreads?: number
  /** Observed time in the queue from which another thread is started, in milliseconds. Default: 10. */
  scaleUpWaitMs?: number
  /**
   * How long the pool has to do with fewer threads before one above `minThreads` is retired, in milliseconds.
   * Default: 10,000.
   */
  idleTimeoutMs?: number
  /**
   * Tasks that may wait beyond those that all threads can have in hand. `auto` is `maxThreads` squared.
   * Default: 100,000.
   */
  maxQueue?: number | 'auto'
  /**
   * What `run()` does when the queue is full. `reject` with `ERR_QUEUE_FULL`; `wait`: the promise stays
   * pending until there is room; `run-in-caller`: the handler runs in this thread. One that is busy keeps
   * it from making more work; of those that wait for something, any number run at a time. `drop-oldest`: the task
   * that waits longest in the lowest priority rejects with `ERR_TASK_DROPPED`.
   * Default: `reject`.
   */
  whenFull?: WhenFull
  /** Tasks with promises that a thread has in hand at a time. Default: 1. */
  concurrentTasksPerWorker?: number
  /** Priorities, 1 to 8. 0 is the most urgent; one task in eight is taken from the others. Default: 3. */
  priorities?: number
  /** Default of {@link RunOptions.timeoutMs}. */
  timeoutMs?: number
  /** Default of {@link RunOptions.retry}. */
  retry?: number
  /**
   * Whether threads may ever be terminated: by `destroy()`, at the deadline of `close()`, by `killAfterMs`. Say `false`
   * for threads that write to a native database. Default: true.
   */
  terminable?: boolean
  /**
   * How long a cancelled or timed-out handler may go on before its thread is terminated, in milliseconds; other
   * tasks in the hands of that thread are rejected or retried. Default: never.
   */
  killAfterMs?: number
  /** How long a thread may take to load and set up, in milliseconds. Default: 30,000. */
  startTimeoutMs?: number
  /** Threads that die in a row, without a task done in between, before no more are started. Default: 10. */
  crashLoopLimit?: number
  /**
   * How long the pool refuses tasks after a crash loop before it tries again, in milliseconds; Infinity: for good.
   * Default: 5,000.
   */
  crashLoopPauseMs?: number
  /** Threads that a task may kill before it is not retried any more. Default: 2. */
  quarantineAfter?: number
  /** Cloned to each thread; `workerData` of `node:worker_threads` there. */
  workerData?: unknown
  /** Passed to each `Worker` of Node.js. */
  env?: NodeJS.ProcessEnv | typeof SHARE_ENV
  argv?: unknown[]
  execArgv?: string[]
  /** Passed to each `Worker`. A thread that reaches one is ended: none of the heap for those that write to a native database. */
  resourceLimits?: ResourceLimits
  /** Shown in errors, metrics, thread names and diagnostics. Default: `pool`. */
  name?: string
  /** Items of the shared queue for each priority, a power of two; more wait in this thread. Default: 1024. */
  queueCapacity?: number
  /** Bytes of a task that travel in its slot; longer ones use blocks of shared memory. Default: 240. */
  slotBytes?: number
  /** Bytes for all tasks longer than `slotBytes` in the shared queue. Default: 16 MiB. */
  arenaBytes?: number
  /** Bytes of each thread's ring of results, a power of two; results over a quarter of it are posted. Default: 256 KiB. */
  completionBytes?: number
  /** Where `worker-entry.js` of this package lies, for programs in a bundle that has moved it. */
  entry?: URL | string
}

/** How one task is run. */
export interface RunOptions {
  /** The handler. Default: `default`. */
  name?: string
  /** 0 is the most urgent. Default: the middle one, 1 of 0 to 2. */
  priority?: number
  /**
   * Gives up: the promise rejects with the signal's `reason` at once. A task that waits never starts; one that runs is
   * told, see `TaskContext.cancelled`.
   */
  signal?: AbortSignal
  /**
   * Milliseconds that the handler may run, from its start: then the promise rejects with `ERR_TASK_TIMEOUT`, and the
   * handler is told. Default: no limit.
   */
  timeoutMs?: number
  /** Buffers, ports and streams to move instead of cloning them, once a thread is free for the task. */
  transferList?: readonly TransferListItem[]
  /** How often the task may run again after a thread died with it. Only for what may happen twice. Default: 0. */
  retry?: number
  /**
   * Names tasks that are the same to you. A key whose tasks have killed `quarantineAfter` threads is refused
   * with `ERR_TASK_QUARANTINED` for the life of the pool, or until `pool.release(key)`.
   */
  key?: string
}

/** Options with their defaults, checked. */
export interface ResolvedOptions {
  readonly worker: string
  readonly entry: URL
  readonly name: string
  readonly minThreads: number
  readonly maxThreads: number
  readonly scaleUpWaitMs: number
  readonly idleTimeoutMs: number
  readonly maxQueue: number
  readonly whenFull: WhenFull
  readonly concurrency: number
  readonly priorities: number
  readonly timeoutMs: number
  readonly retry: number
  readonly terminable: boolean
  readonly killAfterMs: number
  readonly startTimeoutMs: number
  readonly crashLoopLimit: number
  readonly crashLoopPauseMs: number
  readonly quarantineAfter: number
  readonly queueCapacity: number
  readonly slotBytes: number
  readonly arenaBytes: number
  readonly completionBytes: number
  readonly slots: number
  readonly thread: Pick<
    ThreadPoolOptions,
    'workerData' | 'env' | 'argv' | 'execArgv' | 'resourceLimits'
  >
}

const whenFullValues: readonly string[] = ['reject', 'wait', 'run-in-caller', 'drop-oldest']

/** @throws {TypeError | RangeError} for what cannot be meant */
export function resolveOptions(options: ThreadPoolOptions): ResolvedOptions {
  if (options?.worker === undefined) {
    throw new TypeError('Cannot make a pool without worker: the URL or path of the worker module')
  }
  const [minThreads, maxThreads] = resolveThreads(options)
  const concurrency = integer(options, 'concurrentTasksPerWorker', 1, 1, 4096)
  const priorities = integer(options, 'priorities', 3, 1, 8)
  const queueCapacity = powerOfTwo(options, 'queueCapacity', 1024, 1, 8192)
  const terminable = options.terminable ?? true
  if (typeof terminable !== 'boolean') {
    throw new TypeError(`terminable must be true or false, not ${String(terminable)}`)
  }
  const name = options.name ?? 'pool'
  if (typeof name !== 'string') throw new TypeError(`name must be a string, not ${String(name)}`)
  const killAfterMs = duration(options, 'killAfterMs', Infinity)
  if (!terminable && killAfterMs !== Infinity) {
    throw new TypeError('Cannot use killAfterMs with terminable: false')
  }
  const whenFull = options.whenFull ?? 'reject'
  if (!whenFullValues.includes(whenFull)) {
    throw new RangeError(`whenFull must be one of ${whenFullValues.join(', ')}, not "${whenFull}"`)
  }
  return {
    worker: workerUrl(options.worker),
    entry: new URL(workerUrl(options.entry ?? ownEntry())),
    name,
    minThreads,
    maxThreads,
    scaleUpWaitMs: duration(options, 'scaleUpWaitMs', 10),
    idleTimeoutMs: duration(options, 'idleTimeoutMs', 10_000),
    maxQueue: resolveMaxQueue(options, maxThreads),
    whenFull,
    concurrency,
    priorities,
    timeoutMs: duration(options, 'timeoutMs', Infinity),
    retry: integer(options, 'retry', 0, 0, 1000),
    terminable,
    killAfterMs,
    startTimeoutMs: duration(options, 'startTimeoutMs', 30_000),
    crashLoopLimit: integer(options, 'crashLoopLimit', 10, 1, Infinity),
    crashLoopPauseMs: duration(options, 'crashLoopPauseMs', 5000),
    quarantineAfter: integer(options, 'quarantineAfter', 2, 1, Infinity),
    queueCapacity,
    slotBytes: integer(options, 'slotBytes', 240, 16, 65_520),
    arenaBytes: integer(options, 'arenaBytes', 16 * 1024 * 1024, 0, 2 ** 31),
    completionBytes: powerOfTwo(options, 'completionBytes', 256 * 1024, 1024, 2 ** 30),
    slots: tableSlots(queueCapacity * priorities + maxThreads * (concurrency + 16)),
    thread: threadOptions(options),
  }
}

// The source runs as it is from a clone, and as JavaScript from a package; the compiler does not rewrite this URL.
function ownEntry(): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new URL(`./worker-entry.${extension}`, import.meta.url)
}

function workerUrl(worker: URL | string): string {
  if (worker instanceof URL) return worker.href
  if (typeof worker !== 'string') {
    throw new TypeError(`worker must be a URL or a path, not ${String(worker)}`)
  }
  if (/^(?:file|data|node):/.test(worker)) return worker
  return pathToFileURL(isAbsolute(worker) ? worker : resolve(worker)).href
}

/** Places in the queue beside those of the threads: for the pool, and for threads that have yet to end. */
export const sparePlaces = 33

// A queue has places for so many.
const mostThreads = 1024 - sparePlaces

function resolveThreads(options: ThreadPoolOptions): [min: number, max: number] {
  if (options.threads !== undefined) {
    if (options.minThreads !== undefined || options.maxThreads !== undefined) {
      throw new TypeError('Cannot use threads together with minThreads or maxThreads')
    }
    const threads = integer(options, 'threads', 1, 1, mostThreads)
    return [threads, threads]
  }
  const fallback = Math.max(Math.min(availableParallelism(), mostThreads), options.minThreads ?? 1)
  const max = integer(options, 'maxThreads', fallback, 1, mostThreads)
  const min = integer(options, 'minThreads', 1, 0, mostThreads)
  if (min > max) throw new RangeError(`minThreads is ${min}, over maxThreads, which is ${max}`)
  return [min, max]
}

function resolveMaxQueue(options: ThreadPoolOptions, maxThreads: number): number {
  if (options.maxQueue === 'auto') return maxThreads ** 2
  if (options.maxQueue === Infinity) return Infinity
  return integer({ maxQueue: options.maxQueue }, 'maxQueue', 100_000, 0, Number.MAX_SAFE_INTEGER)
}

function tableSlots(wanted: number): number {
  if (wanted > maxSlots) {
    throw new RangeError(
      `Cannot track ${wanted} tasks at a time, over ${maxSlots}: lower queueCapacity, maxThreads or concurrentTasksPerWorker`,
    )
  }
  return wanted
}

function threadOptions(options: ThreadPoolOptions): ResolvedOptions['thread'] {
  const { workerData, env, argv, execArgv, resourceLimits } = options
  return {
    workerData,
    ...(env === undefined ? {} : { env }),
    ...(argv === undefined ? {} : { argv }),
    ...(execArgv === undefined ? {} : { execArgv }),
    ...(resourceLimits === undefined ? {} : { resourceLimits }),
  }
}

/** @throws {RangeError} unless the option is an integer in the range */
export function integer<K extends string>(
  options: { [key in K]?: unknown },
  name: K,
  fallback: number,
  min: number,
  max: number,
): number {
  const value: unknown = options[name] ?? fallback
  const isWhole = Number.isInteger(value) || (value === Infinity && max === Infinity)
  if (typeof value !== 'number' || !isWhole || value < min || value > max) {
    throw new RangeError(`${name} must be an integer from ${min} to ${max}, not ${String(value)}`)
  }
  return value
}

function powerOfTwo<K extends string>(
  options: { [key in K]?: unknown },
  name: K,
  fallback: number,
  min: number,
  max: number,
): number {
  const value = integer(options, name, fallback, min, max)
  if (2 ** Math.round(Math.log2(value)) !== value) {
    throw new RangeError(`${name} must be a power of two, not ${value}`)
  }
  return value
}

/** @throws {RangeError} unless the option is a number of milliseconds */
export function duration<K extends string>(
  options: { [key in K]?: unknown },
  name: K,
  fallback: number,
): number {
  const value: unknown = options[name] ?? fallback
  if (typeof value !== 'number' || !(value >= 0)) {
    throw new RangeError(
      `${name} must be a number of milliseconds, 0 or more, not ${String(value)}`,
    )
  }
  return value
}
