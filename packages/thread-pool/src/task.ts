import type { TransferListItem } from 'node:worker_threads'
import { AbortListeners } from './abort-listeners.ts'

/** Where the pool has a task. */
export type TaskPlace =
  /** It waits in this thread, for room in the shared queue. */
  | 'line'
  /** It has a slot: it is in the shared queue, or a thread has it. */
  | 'slot'
  /** Nobody has it any more. */
  | 'none'

/** What the pool knows of a task. */
export class Task {
  value: unknown
  readonly name: string
  readonly priority: number
  readonly timeoutMs: number
  transferList: readonly TransferListItem[] | undefined
  readonly key: string | undefined
  readonly signal: AbortSignal | undefined
  /** How often it may still run again. */
  retriesLeft: number
  /** Threads that have ended while they ran it, or had its value alone to read. */
  crashes = 0
  /** Of these, threads that it may have killed. */
  kills = 0
  place: TaskPlace = 'none'
  tag = 0
  /** When `run()` was called, also if it had to wait to be accepted. */
  readonly since: number
  /** The item, kept where it may have to be sent again or later. */
  item: Uint8Array | undefined
  /** Whether the value goes by the port, and whether it has gone. */
  port: 'no' | 'asked for' | 'sent' = 'no'
  /** The number of the message in which it has gone, */
  message = -1
  /** and whether no other value was in that. */
  wasAlone = false
  /** Threads that may have died of reading it, or of something else. */
  suspicions = 0
  /** Whether its time limit is watched. */
  isWatched = false
  /** Whether the pool counts it as pending, until it is settled. */
  isAccepted = false
  isSettled = false
  #onAbort: (() => void) | undefined
  #listeners: AbortListeners | undefined
  #resolve: ((value: unknown) => void) | undefined
  #reject: ((error: unknown) => void) | undefined

  /** @param fields read here and not kept: many tasks may have the same */
  constructor(
    value: unknown,
    since: number,
    fields: Readonly<TaskFields>,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    this.value = value
    this.since = since
    this.name = fields.name
    this.priority = fields.priority
    this.timeoutMs = fields.timeoutMs
    this.transferList = fields.transferList
    this.key = fields.key
    this.signal = fields.signal
    this.retriesLeft = fields.retry
    this.#resolve = resolve
    this.#reject = reject
  }

  /** Whether buffers of its value have gone to a thread, so that it cannot be sent again. */
  get isMoved(): boolean {
    return this.port === 'sent' && (this.transferList?.length ?? 0) > 0
  }

  /** Calls `onAbort` when its signal aborts, or at once if it has, by the value that was read: no event follows then. */
  listen(onAbort: () => void): void {
    if (this.signal === undefined || this.isSettled) return
    this.#onAbort = onAbort
    this.#listeners = AbortListeners.add(this.signal, onAbort)
    if (this.signal.aborted) onAbort()
  }

  /** Takes `listen` back. */
  unlisten(): void {
    if (this.#onAbort === undefined) return
    this.#listeners?.delete(this.#onAbort)
    this.#onAbort = undefined
  }

  /** The only way to settle. @returns false if it was settled before */
  resolve(value: unknown): boolean {
    const settle = this.#resolve
    if (!this.#settle()) return false
    settle?.(value)
    return true
  }

  /** As {@link Task.resolve}. */
  reject(error: unknown): boolean {
    const settle = this.#reject
    if (!this.#settle()) return false
    settle?.(error)
    return true
  }

  #settle(): boolean {
    if (this.isSettled) return false
    this.isSettled = true
    this.unlisten()
    // Its time limit and others keep the task for longer, and are not to keep what it was given and what it gave.
    this.value = this.transferList = this.item = undefined
    this.#resolve = this.#reject = undefined
    return true
  }
}

/** What a task takes from its options. */
export interface TaskFields {
  name: string
  priority: number
  timeoutMs: number
  transferList: readonly TransferListItem[] | undefined
  key: string | undefined
  signal: AbortSignal | undefined
  retry: number
}
