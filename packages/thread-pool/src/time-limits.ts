// The times by which running tasks have to be done, and those by which cancelled ones have to let go of their threads.
import { now } from './clock.ts'
import { Deadlines } from './deadlines.ts'
import { maxTimerMs } from './max-timer-ms.ts'
import type { Task } from './task.ts'

/** What the limits ask of their pool. */
export interface TimeLimitsListener {
  /** Read all that has been answered by now: a result that is already there counts. */
  beforeCheck(): void
  /** When the task was started, or 0 if it was not. */
  startedAt(task: Task): number
  /** The task has run for too long. */
  onTimeout(task: Task): void
  /** The task was cancelled long ago; its thread may be at something else by now. */
  onKill(task: Task): void
}

interface Limit {
  readonly task: Task
  readonly kind: 'timeout' | 'kill'
}

/** Below this number nobody looks for what is not needed any more. */
const fewLimits = 1024

/** So often is looked whether a task has been taken that was seen to wait, and not more often: there may be thousands. */
const waitingLookMs = 20

/** Watches over the time limits of all tasks, with one timer. */
export class TimeLimits {
  readonly #listener: TimeLimitsListener
  readonly #deadlines = new Deadlines<Limit>()
  #timer: NodeJS.Timeout | undefined
  /** Most tasks end long before their limit: at this number of limits, twice what was left the last time, those are dropped. */
  #fullAt = fewLimits

  constructor(listener: TimeLimitsListener) {
    this.#listener = listener
  }

  /**
   * Watches over the time limit of a task that a thread can take now: one that waits for room in the queue has not started, and
   * there may be any number of those. May be said again.
   */
  watch(task: Task): void {
    if (task.isWatched) return
    task.isWatched = true
    this.#add(task, now() + task.timeoutMs, 'timeout')
  }

  /** Has the thread of a cancelled task killed, if it has not let go of it by a time. */
  killAt(task: Task, at: number): void {
    this.#add(task, at, 'kill')
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #add(task: Task, at: number, kind: Limit['kind']): void {
    const isFirst = at < this.#deadlines.next
    if (this.#deadlines.size >= this.#fullAt) this.#prune()
    this.#deadlines.add(at, { task, kind })
    if (isFirst) this.#setTimer()
  }

  #prune(): void {
    this.#deadlines.prune(isNeeded)
    this.#fullAt = Math.max(fewLimits, 2 * this.#deadlines.size)
  }

  #setTimer(): void {
    clearTimeout(this.#timer)
    const delay = this.#deadlines.next - now()
    if (delay === Infinity) return
    this.#timer = setTimeout(
      () => this.#check(),
      Math.min(Math.max(0, Math.ceil(delay)), maxTimerMs),
    )
    // Limits of tasks that are settled by now must not hold the process; pending tasks do it themselves.
    this.#timer.unref()
  }

  #check(): void {
    // Before the answers are read: for what reaches its limit meanwhile, they were not.
    const time = now()
    let isRead = false
    for (let due = this.#deadlines.due(time); due !== undefined; due = this.#deadlines.due(time)) {
      // Most tasks have ended long before, and nothing has to be read for them.
      if (!isNeeded(due)) continue
      if (!isRead) this.#listener.beforeCheck()
      isRead = true
      if (due.kind === 'kill') this.#listener.onKill(due.task)
      else this.#checkTimeout(due.task, time)
    }
    this.#setTimer()
  }

  #checkTimeout(task: Task, time: number): void {
    if (task.isSettled) return
    // The time runs from the start: one that waits now has all of it left.
    const startedAt = this.#listener.startedAt(task)
    const hasStarted = startedAt !== 0
    const at = hasStarted
      ? startedAt + task.timeoutMs
      : time + Math.max(task.timeoutMs, waitingLookMs)
    if (hasStarted && at <= time) return this.#listener.onTimeout(task)
    this.#deadlines.add(at, { task, kind: 'timeout' })
  }
}

function isNeeded({ task, kind }: Limit): boolean {
  // A thread that has let go of its task is not killed for it.
  return kind === 'kill' ? task.place === 'slot' : !task.isSettled
}
