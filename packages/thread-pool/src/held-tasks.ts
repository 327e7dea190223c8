import type { Dispatcher } from './dispatcher.ts'
import type { ResolvedOptions } from './options.ts'
import { TaskState } from './task-table.ts'
import type { Task } from './task.ts'
import type { Thread } from './thread.ts'

/** A thread that runs something. */
interface Busy {
  running: number
  readonly isStuck: boolean
}

/**
 * Puts tasks back into the queue that threads have taken and cannot begin. A thread asks for several values at once where
 * tasks have been short, and what it has taken waits for nobody else. When one of them takes long after all, those behind it
 * are sent again: there they go by their priorities, to whichever thread is free, and are seen to wait.
 */
export class HeldTasks {
  readonly #dispatcher: Dispatcher
  readonly #concurrency: number
  readonly #hasOthers: boolean
  readonly #hear: (thread: Thread) => void
  /** How many tasks each thread had ended at the last look, if it was busy then. */
  readonly #ended = new WeakMap<Thread, number>()

  /** @param hear reads all that the thread has answered by now */
  constructor(
    dispatcher: Dispatcher,
    { concurrency, maxThreads }: Pick<ResolvedOptions, 'concurrency' | 'maxThreads'>,
    hear: (thread: Thread) => void,
  ) {
    this.#dispatcher = dispatcher
    this.#concurrency = concurrency
    // A single thread would take them again itself, and not in their order.
    this.#hasOthers = maxThreads > 1
    this.#hear = hear
  }

  /**
   * To be called at each tick. A thread that has ended nothing since the last one gives back all that it holds. Before that, while
   * nothing waits, the oldest go to threads that are idle, one to each.
   */
  giveBack(threads: ReadonlySet<Thread>): void {
    const dispatcher = this.#dispatcher
    const isEmpty = dispatcher.waiting === 0
    // It finds free threads by itself, but for what a thread was woken for that has then begun something else.
    if (!isEmpty) dispatcher.wakeOne()
    if (!this.#hasOthers) return
    let free = 0
    let canGive = false
    const busy = new Map<number, Busy>()
    for (const thread of threads) {
      const isStuck = this.#isStuck(thread)
      if (isEmpty && thread.isIdle) free++
      // With what was given up it may still be busy.
      const running = this.#concurrency === 1 ? 1 : 0
      if (thread.isBusy) busy.set(thread.index, { running, isStuck })
      canGive ||= isStuck
    }
    if (busy.size === 0 || (free === 0 && !canGive)) return
    for (const task of this.#heldBy(busy)) {
      const isStuck = busy.get(dispatcher.table.thread(task.tag))?.isStuck === true
      if (!isStuck && free-- <= 0) continue
      // Its thread may begin it in this moment.
      if (dispatcher.cancel(task)) dispatcher.resend(task)
    }
  }

  #isStuck(thread: Thread): boolean {
    const before = this.#ended.get(thread)
    if (thread.isBusy && before === endedBy(thread)) this.#hear(thread)
    if (!thread.isBusy) {
      this.#ended.delete(thread)
      return false
    }
    const ended = endedBy(thread)
    this.#ended.set(thread, ended)
    return before === ended
  }

  /** What waits in threads that have no free hand, the oldest first. */
  #heldBy(busy: Map<number, Busy>): Task[] {
    const { table } = this.#dispatcher
    const taken: Task[] = []
    for (const task of this.#dispatcher.sent()) {
      const state = table.state(task.tag)
      // Without its item its thread has just taken it, and has not told.
      const canBeSent = !task.isMoved && task.item !== undefined
      if (state === TaskState.Taken && canBeSent) taken.push(task)
      const thread = busy.get(table.thread(task.tag))
      if (state === TaskState.Running && thread !== undefined) thread.running++
    }
    return taken
      .filter(({ tag }) => (busy.get(table.thread(tag))?.running ?? 0) >= this.#concurrency)
      .toSorted((a, b) => a.since - b.since)
  }
}

function endedBy(thread: Thread): number {
  return thread.completed + thread.failed
}
