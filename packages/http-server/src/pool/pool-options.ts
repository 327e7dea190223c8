import { resolve } from 'node:path'
import { maxTimerMs } from '../limits.ts'
import { beatMs } from './writer-progress.ts'

/** How many threads answer, and what may wait for them. */
export interface PoolOptions {
  /**
   * Threads that read, fixed. One that writes and the calling one, which parses and sends, come on top.
   * As many as there are processors is a good number. Default: 4.
   */
  readonly threads?: number
  /** Threads that are always there, where their number changes with the load. Default: `threads`. */
  readonly minThreads?: number
  /** Threads at most. Default: `threads`, or `minThreads` where that is more. */
  readonly maxThreads?: number
  /** Reads, and likewise writes, that may wait for a thread. A further one is answered 503. Default: 10000. */
  readonly maxQueuedRequests?: number
  /** Bytes of all bodies that wait for the writer. A write beyond is answered 503. Default: 67108864 (64 MiB). */
  readonly maxQueuedBytes?: number
  /**
   * How long a client may take for a large answer while it is read from the store, beside a second for each 8 MiB that
   * it has taken, and twelve times as long at most. The rest is put into a file then, so that the store can reuse what has
   * changed meanwhile. Default: 5000.
   */
  readonly answerPatienceMs?: number
  /**
   * Bytes of all those files together. An answer for which there is no room any more is broken off, one that is larger for
   * every client which is slow. Default: no limit but the disk.
   */
  readonly maxSpoolBytes?: number
  /** Folder of those files, which have no name as soon as they are open. Default: that of the system. */
  readonly spoolFolder?: string
  /**
   * How long the writer may make no progress while something waits for it, the syncing of a commit
   * excepted, before it is taken for dead. At least 1000. Default: 10000.
   */
  readonly stallLimitMs?: number
}

export interface ResolvedPoolOptions {
  readonly minThreads: number
  readonly maxThreads: number
  readonly maxQueuedRequests: number
  readonly maxQueuedBytes: number
  readonly answerPatienceMs: number
  readonly maxSpoolBytes: number
  readonly spoolFolder: string | undefined
  readonly stallLimitMs: number
}

const maxThreadCount = 256

/** Large answers that one thread may have in hand, and all together: each may have all that there may be at one time. */
const maxLargeOfThread = 4000
const maxLargeOfThreads = 40_000

/** Several of the beats by which a writer with nothing to do shows that it is alive. */
const leastStallLimitMs = 4 * beatMs

/** @throws {RangeError} for what is no integer within its limits, and for fewer threads at most than at least. */
export function resolvePoolOptions(given: PoolOptions): ResolvedPoolOptions {
  const threads = check('threads', given.threads ?? 4, maxThreadCount)
  const minThreads = check(
    'minThreads',
    given.minThreads ?? Math.min(threads, given.maxThreads ?? threads),
    maxThreadCount,
  )
  const maxThreads = check(
    'maxThreads',
    given.maxThreads ?? Math.max(threads, minThreads),
    maxThreadCount,
  )
  if (maxThreads < minThreads) {
    throw new RangeError(`Invalid maxThreads ${maxThreads}: minThreads is ${minThreads}`)
  }
  return {
    minThreads,
    maxThreads,
    maxQueuedRequests: check('maxQueuedRequests', given.maxQueuedRequests ?? 10_000, 1_000_000),
    maxQueuedBytes: check('maxQueuedBytes', given.maxQueuedBytes ?? 64 * 1024 * 1024),
    answerPatienceMs: check('answerPatienceMs', given.answerPatienceMs ?? 5000, maxTimerMs),
    maxSpoolBytes:
      given.maxSpoolBytes === undefined ? Infinity : check('maxSpoolBytes', given.maxSpoolBytes),
    spoolFolder: given.spoolFolder === undefined ? undefined : resolve(given.spoolFolder),
    stallLimitMs: check(
      'stallLimitMs',
      given.stallLimitMs ?? 10_000,
      maxTimerMs,
      leastStallLimitMs,
    ),
  }
}

/** @throws {RangeError} for more large answers than so many threads can have in hand. */
export function checkLargeAnswers(
  maxStreamedAnswers: number,
  { maxThreads }: ResolvedPoolOptions,
): void {
  const maximum = Math.min(maxLargeOfThread, Math.floor(maxLargeOfThreads / maxThreads))
  if (maxStreamedAnswers <= maximum) return
  throw new RangeError(
    `Invalid maxStreamedAnswers ${maxStreamedAnswers}: With up to ${maxThreads} threads it has to be an integer from 1 to ${maximum}`,
  )
}

function check(
  name: string,
  value: number,
  maximum: number = Number.MAX_SAFE_INTEGER,
  minimum = 1,
): number {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return value
  throw new RangeError(
    `Invalid ${name} ${value}: It has to be an integer from ${minimum} to ${maximum}`,
  )
}
