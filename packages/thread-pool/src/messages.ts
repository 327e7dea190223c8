// What the pool and its threads say to each other. Tasks and small results are not among it: those go through shared memory.
import type { MessagePort } from 'node:worker_threads'
import type { WorkQueueHandle } from '@elkyn/work-queue'
import type { Thrown } from './error-codec.ts'

/**
 * The first message to a thread. It is not `workerData`, so that `workerData` of `node:worker_threads` is
 * what the user of the pool has passed.
 */
export interface BootMessage {
  type: 'boot'
  /** Everything else is said on this port; `parentPort` is left to the worker module. */
  port: MessagePort
  /** URL of the worker module. */
  worker: string
  thread: number
  concurrency: number
  /** Names of the handlers by the numbers that items have; undefined where no thread has been ready: its own order. */
  handlers: readonly string[] | undefined
  queue: WorkQueueHandle
  tasks: SharedArrayBuffer
  completions: SharedArrayBuffer
  doorbell: SharedArrayBuffer
  control: SharedArrayBuffer
}

/** Pool to thread. */
export type ToThread =
  /** Values of tasks that the thread has asked for; one message for many costs little more than one. */
  | { type: 'values'; tags: number[]; values: unknown[] }
  /** A task that the thread has not asked for, because it has nothing else to do. */
  | { type: 'task'; tag: number; name: string; value: unknown }
  /** It cannot be cloned; the pool has settled the task. */
  | { type: 'no-value'; tag: number }
  /** Fire the signal of a running task. The shared table says it already. */
  | { type: 'cancel'; tag: number }
  /** Answer with those of these tasks that the thread has not in hand. */
  | { type: 'stock'; tags: number[] }
  /** Finish what is in hand, tear down, exit. */
  | { type: 'stop' }

/** Thread to pool. */
export type ToPool =
  /** The worker module is about to be imported. */
  | { type: 'hello' }
  /** Handlers are there, `setup` has run. */
  | { type: 'ready'; participant: number; names: string[] }
  /** The module or `setup` failed. */
  | { type: 'failed'; step: 'import' | 'setup'; error: Thrown }
  /**
   * Send the values of these tasks. And keep the item of one that waits behind them, in case the thread dies, or another
   * one has time for it.
   */
  | { type: 'ask'; tags: number[]; held: { tag: number; item: Uint8Array } | undefined }
  /** A result that needs a structured clone, or did not fit into the ring. */
  | { type: 'result'; tag: number; value: unknown; startedAt: number; runUs: number }
  | { type: 'error'; tag: number; error: Thrown; startedAt: number; runUs: number }
  /** A message from the pool could not be read. */
  | { type: 'unreadable' }
  /** The answer to `stock`. */
  | { type: 'missing'; tags: number[] }
  /** Torn down. The thread exits next. */
  | { type: 'bye'; error?: Thrown }

/** How a task ended, in the second byte of a completion. */
export const Outcome = { Returned: 0, Threw: 1 } as const

/**
 * The first bytes of an item of the queue; its tag names the slot in the table of tasks.
 *
 *   0  1  kind of the value
 *   1  1  flags
 *   2  2  index of the handler in `handlers` of the boot message, or `namedHandler` + length of its name
 *   4     the name in UTF-16, if it is named
 *   8n    the value, see `valueStart`
 */
export const itemHeaderBytes = 4

/**
 * Where the value begins behind a name of so many bytes. The memory of an item is at a multiple of 8 where it is read, so that
 * a handler can make any typed array of the bytes that it gets.
 */
export function valueStart(nameBytes: number): number {
  return (itemHeaderBytes + nameBytes + 7) & ~7
}

export const ItemFlag = {
  /** The task has a time limit: its start is noted in the table. */
  Timed: 1,
  /** Buffers of the value move to the thread: it cannot be sent again. */
  Moved: 2,
} as const
/** Set while there is a thread that may know the handlers by other indexes, or by none. */
export const namedHandler = 0x8000

/**
 * Words of a thread's control block, in 32 bits, and of its clock, in 64.
 *
 *   0   stop: the thread takes no more tasks
 *   4   blocked: it waits for the queue, and hears messages only after that
 *   8   busy time in milliseconds, as a double
 *   16  since when it has tasks in hand, as a double, or 0
 *   24  messages that it has heard, modulo 2^32: the next is the one that it dies of if it dies while it reads it
 *   28  whether a handler is being called: then it has died of that
 *   32  how many messages it has to have heard before it takes an item: up to the last task that was sent without one
 */
export const controlBytes = 64
export const ControlWord = { Stop: 0, Blocked: 1, Heard: 6, Calling: 7, Given: 8 } as const
export const ControlTime = { Busy: 1, BusySince: 2 } as const
