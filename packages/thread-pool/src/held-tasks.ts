import type { Dispatcher } from './dispatcher.ts'
import { TaskState } from './task-table.ts'
import type { Task } from './task.ts'
import type { Thread } from './thread.ts'

/**
 * Lets threads that have nothing to do have what waits for others. A thread asks for several tasks at once where they
 * have been short. When one of them takes long after all, those behind it are sent again, the oldest first and one for each
 * thread that is free.
 * @param concurrency Tasks that a thread runs at a time. One that runs fewer waits only for the value of the next.
 */
export function shareHeldTasks(
  dispatcher: Dispatcher,
  threads: ReadonlySet<Thread>,
  concurrency: number,
): void {
  if (dispatcher.waiting > 0) {
    // It finds free threads by itself, but for what a thread was woken for that has then begun something else.
    dispatcher.wakeOne()
    return
  }
  let free = 0
  const running = new Map<number, number>()
  for (const thread of threads) {
    if (thread.isIdle) free++
    // With what was given up it may still be busy.
    if (thread.isBusy) running.set(thread.index, concurrency === 1 ? 1 : 0)
  }
  if (free === 0 || running.size === 0) return
  const { table } = dispatcher
  const taken: Task[] = []
  for (const task of dispatcher.sent()) {
    const state = table.state(task.tag)
    // Without its item its thread has just taken it, and has not told.
    const canBeSent = !task.isMoved && task.item !== undefined
    if (state === TaskState.Taken && canBeSent) taken.push(task)
    if (state !== TaskState.Running) continue
    const thread = table.thread(task.tag)
    running.set(thread, (running.get(thread) ?? 0) + 1)
  }
  const held = taken
    .filter(({ tag }) => (running.get(table.thread(tag)) ?? 0) >= concurrency)
    .toSorted((a, b) => a.since - b.since)
  for (const task of held.slice(0, free)) {
    // Its thread may begin it in this moment.
    if (dispatcher.cancel(task)) dispatcher.resend(task)
  }
}
