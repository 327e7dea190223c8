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
  /** What was seen at the last look in threads that have a hand free for it and ended nothing. */
  #doubtful: ReadonlySet<number> = new Set()

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
   * To be called at each tick. A thread that has ended nothing since the last one gives back all that it holds, and if it has a hand
   * free for it, for which its value may be on the way, one tick later: then something blocks it. Before that, while nothing waits,
   * the oldest go to threads that are idle, one to each.
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
    const before = this.#doubtful
    const doubtful = new Set<number>()
    this.#doubtful = doubtful
    if (busy.size === 0 || (free === 0 && !canGive)) return
    for (const task of this.#takenBy(busy)) {
      const { running = 0, isStuck = false } = busy.get(dispatcher.table.thread(task.tag)) ?? {}
      const mayComeSoon = running < this.#concurrency
      if (mayComeSoon && isStuck && !before.has(task.tag)) doubtful.add(task.tag)
      else if (isStuck || (!mayComeSoon && free-- > 0)) {
        // Its thread may begin it in this moment.
        if (dispatcher.cancel(task)) dispatcher.resend(task)
      }
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

  /** What threads that are busy have taken and not begun, the oldest first. Counts what they run. */
  #takenBy(busy: Map<number, Busy>): Task[] {
    const { table } = this.#dispatcher
    const taken: Task[] = []
    for (const task of this.#dispatcher.sent()) {
      const state = table.state(task.tag)
      // Without its item its thread has just taken it, and has not told.
      const canBeSent = !task.isMoved && task.item !== undefined
      const thread = busy.get(table.thread(task.tag))
      if (thread === undefined) continue
      if (state === TaskState.Taken && canBeSent) taken.push(task)
      if (state === TaskState.Running) thread.running++
    }
    return taken.toSorted((a, b) => a.since - b.since)
  }
}

function endedBy(thread: Thread): number {
  return thread.completed + thread.failed
}
