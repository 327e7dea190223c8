// What becomes of the tasks of a thread that has ended, or whose messages could not be read.
import type { Dispatcher } from './dispatcher.ts'
import { notCloneable } from './error-codec.ts'
import type { Quarantine } from './quarantine.ts'
import { lostError } from './task-errors.ts'
import type { Task } from './task.ts'
import { TaskState } from './task-table.ts'
import type { Thread } from './thread.ts'

/** What recovery leaves to its pool. */
export interface RecoveryListener {
  /** Read all that the thread has answered: it counts, however the thread ended. */
  beforeRecovery(thread: Thread): void
  /** A task died with its thread and is sent again. */
  onRetry(): void
  /** A task has killed too many threads. */
  onQuarantine(task: Task, deaths: number): void
  /** A task has to be rejected. */
  onLost(task: Task, error: unknown, outcome: 'failed' | 'lost'): void
}

/** A thread that has ended. */
interface Death {
  readonly thread: Thread
  /** Keys that have been counted for it. */
  readonly keys: Set<string>
  /** Whether it ran anything. */
  readonly wasRunning: boolean
}

/** How often it may be chance that a thread with something to run ended when it was to read a value. */
const maxDoubts = 2

/** Finds what a thread had in hand, and settles it or sends it again. */
export class Recovery {
  readonly #dispatcher: Dispatcher
  readonly #quarantine: Quarantine
  readonly #quarantineAfter: number
  readonly #listener: RecoveryListener

  constructor(
    dispatcher: Dispatcher,
    quarantine: Quarantine,
    quarantineAfter: number,
    listener: RecoveryListener,
  ) {
    this.#dispatcher = dispatcher
    this.#quarantine = quarantine
    this.#quarantineAfter = quarantineAfter
    this.#listener = listener
  }

  /** The thread has ended, and all that it has said was heard. */
  async recover(thread: Thread): Promise<void> {
    this.#listener.beforeRecovery(thread)
    const death: Death = { thread, keys: new Set(), wasRunning: this.#isRunning(thread) }
    // Only now may anything else be said about its tasks.
    const reports = await this.#dispatcher.queue.reapThread(thread.threadId)
    for (const report of reports) {
      for (const item of report.returned) {
        const task = this.#dispatcher.find(item.tag)
        if (task === undefined || !this.#dispatcher.isWaiting(task)) item.release()
        else this.#sendAgain(task, new Uint8Array(item.bytes))
      }
      for (const tag of report.inHand) {
        const task = this.#dispatcher.find(tag)
        // Taken out, and the thread died before it could say so in the table.
        if (task !== undefined && this.#dispatcher.isWaiting(task)) this.#lose(task, death)
      }
    }
    for (const task of this.#dispatcher.sent()) {
      if (this.#dispatcher.table.thread(task.tag) === thread.index) this.#lose(task, death)
    }
  }

  /**
   * A message between the pool and the thread could not be read at its end, which says nothing about whose value it
   * was. So the thread is asked which of its tasks it knows: messages keep their order, and all that were under way
   * have arrived by then.
   */
  takeStock(thread: Thread): void {
    const { table } = this.#dispatcher
    const tags: number[] = []
    for (const { tag, port } of this.#dispatcher.sent()) {
      const isThere = table.state(tag) === TaskState.Running || port === 'sent'
      if (isThere && table.thread(tag) === thread.index) tags.push(tag)
    }
    thread.post({ type: 'stock', tags })
  }

  /** The thread has nothing of these tasks in hand: their values got lost on the way there or back. */
  giveUpMissing(thread: Thread, tags: readonly number[]): void {
    this.#listener.beforeRecovery(thread)
    for (const tag of tags) {
      const task = this.#dispatcher.find(tag)
      if (task === undefined) continue
      const verb = this.#dispatcher.table.state(tag) === TaskState.Running ? 'return' : 'send'
      this.#dispatcher.release(task)
      const error = notCloneable(verb, 'it could be written as a message and not be read')
      this.#listener.onLost(task, error, 'failed')
    }
  }

  #isRunning({ index }: Thread): boolean {
    const { table } = this.#dispatcher
    for (const { tag } of this.#dispatcher.sent()) {
      if (table.thread(tag) === index && table.state(tag) === TaskState.Running) return true
    }
    return false
  }

  #lose(task: Task, { thread, keys, wasRunning }: Death): void {
    if (task.isSettled) {
      this.#dispatcher.release(task)
      return
    }
    const hasBegun = this.#dispatcher.table.state(task.tag) === TaskState.Running
    const wasRead =
      !hasBegun && !thread.isKilled && task.port === 'sent' && thread.mayHaveDiedOf(task.message)
    const item = this.#dispatcher.itemOf(task)
    const canBegin = !hasBegun && item !== undefined && !task.isMoved
    if (wasRead) task.suspicions++
    // Of several in one message nobody knows which it was: each goes by itself now. And what ran may have used up the memory, but
    // not again and again just when this one was to be read.
    const isLikely = task.wasAlone && (!wasRunning || task.suspicions > maxDoubts)
    if (canBegin && !(wasRead && isLikely)) return this.#sendAgain(task, item)
    // What the pool has terminated was killed by no task that is still pending.
    const mayHaveKilled = !thread.isKilled && (hasBegun || (wasRead && isLikely))
    task.crashes++
    if (mayHaveKilled) task.kills++
    const deaths = this.#deathsBy(task, mayHaveKilled, keys)
    const isPoison = deaths >= this.#quarantineAfter
    // Once more: the thread may have had too little memory left for any value.
    if (canBegin && task.kills === 1 && !isPoison) return this.#sendAgain(task, item)
    if (!wasRead && task.retriesLeft > 0 && item !== undefined && !isPoison) {
      task.retriesLeft--
      this.#listener.onRetry()
      return this.#sendAgain(task, item)
    }
    if (isPoison) this.#listener.onQuarantine(task, deaths)
    this.#dispatcher.release(task)
    this.#listener.onLost(task, lostError(task, thread, isPoison), 'lost')
  }

  /** @returns how many threads the task, or tasks of its key, have killed. A thread counts once for a key */
  #deathsBy(task: Task, mayHaveKilled: boolean, keys: Set<string>): number {
    const { key } = task
    if (key === undefined) return task.kills
    if (!mayHaveKilled || keys.has(key)) return this.#quarantine.deaths(key)
    keys.add(key)
    return this.#quarantine.add(key)
  }

  #sendAgain(task: Task, item: Uint8Array): void {
    if (task.isSettled) return this.#dispatcher.release(task)
    task.item = item
    this.#dispatcher.resend(task)
  }
}
