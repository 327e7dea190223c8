import type { Dispatcher } from './dispatcher.ts'
import { TaskState } from './task-table.ts'
import type { Task } from './task.ts'
import type { Thread } from './thread.ts'

/**
 * Lets threads that have nothing to do have what waits for others. A thread asks for several tasks at once where they
 * have been short. When one of them takes long after all, those behind it are sent again, the oldest first and one for each
 * thread that is free.
 */
export function shareHeldTasks(dispatcher: Dispatcher, threads: ReadonlySet<Thread>): void {
  if (dispatcher.waiting > 0) {
    // It finds free threads by itself, but for what a thread was woken for that has then begun something else.
    dispatcher.wakeOne()
    return
  }
  let free = 0
  const busy = new Set<number>()
  for (const thread of threads) {
    if (thread.isIdle) free++
    else if (thread.isBusy) busy.add(thread.index)
  }
  if (free === 0 || busy.size === 0) return
  const { table } = dispatcher
  const isHeld = ({ tag, isMoved }: Task): boolean =>
    table.state(tag) === TaskState.Taken && busy.has(table.thread(tag)) && !isMoved
  const held = [...dispatcher.sent()].filter(isHeld).toSorted((a, b) => a.since - b.since)
  for (const task of held.slice(0, free)) {
    // Its thread may begin it in this moment.
    if (dispatcher.cancel(task)) dispatcher.resend(task)
  }
}
