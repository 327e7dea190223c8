import { channel } from 'node:diagnostics_channel'
import type { Channel } from 'node:diagnostics_channel'

/** What a pool emits. */
export interface PoolEvents {
  /** A thread is being started. */
  workerCreate: [thread: ThreadEvent]
  /** A thread has loaded its module and takes tasks. */
  workerReady: [thread: ThreadEvent]
  /** A thread has ended: `expected` says whether the pool wanted it to. */
  workerDestroy: [thread: ThreadExitEvent]
  /** The number of threads is about to change by itself. */
  scale: [change: ScaleEvent]
  /** `maxQueue` was reached. */
  needsDrain: []
  /** After `needsDrain`: there is room for half of the queue again. */
  drain: []
  /** Threads die in a row: no more are started for a while, and no task is accepted when the last has gone. */
  breakerOpen: [event: { deaths: number; error: unknown }]
  /** A task was done again. */
  breakerClose: []
  /** A task has killed too many threads. */
  taskQuarantined: [event: { name: string; key: string | undefined; crashes: number }]
  /** Something failed beside a task: a thread died that had none or could not be made, a teardown threw. Only with a listener. */
  error: [error: unknown]
}

/** A thread of the pool. */
export interface ThreadEvent {
  /** Its number in the pool. */
  thread: number
  /** `threadId` of `node:worker_threads`. */
  threadId: number
}

/** A thread that has ended. */
export interface ThreadExitEvent extends ThreadEvent {
  exitCode: number
  expected: boolean
  error: unknown
}

/** Why the pool changes its size. */
export interface ScaleEvent {
  from: number
  to: number
  reason: 'minimum' | 'first task' | 'queue wait' | 'idle' | 'none'
  /** The time in the queue that was observed, in milliseconds. */
  waitMs: number
}

/** What is published for each task when it settles, on `elkyn.thread-pool.task`. */
export interface TaskDiagnostics {
  pool: string
  name: string
  /** `lost`: with its thread. `dropped`: for a newer one, or because the pool has ended or has no threads left. */
  outcome: 'completed' | 'failed' | 'cancelled' | 'timed out' | 'lost' | 'dropped'
  /** Number of the thread that ran it, or -1. */
  thread: number
  waitMs: number
  runMs: number
  error?: unknown
}

/** The channels of `node:diagnostics_channel`. `thread` and `scale` get `{ pool, event, … }`. */
export const channels: { task: Channel; thread: Channel; scale: Channel } = {
  task: channel('elkyn.thread-pool.task'),
  thread: channel('elkyn.thread-pool.thread'),
  scale: channel('elkyn.thread-pool.scale'),
}
