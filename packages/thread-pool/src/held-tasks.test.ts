import { expect, test } from 'vitest'
import type { Dispatcher } from './dispatcher.ts'
import { shareHeldTasks } from './held-tasks.ts'
import { TaskTable } from './task-table.ts'
import type { Task } from './task.ts'
import type { Thread } from './thread.ts'

/** Two threads: 0 has what it says in hand, 1 has nothing. @returns how many tasks are sent again */
function sharedOf(counts: { running: number; taken: number; concurrency: number }): number {
  const { running, taken, concurrency } = counts
  const table = TaskTable.allocate(16)
  const tasks = Array.from({ length: running + taken }, (_, slot) => {
    const tag = table.open(slot, false)
    table.take(tag, 0)
    if (slot < running) table.start(tag, 0)
    return { tag, since: slot, isMoved: false, item: new Uint8Array() } as Task
  })
  const resent: Task[] = []
  const dispatcher = {
    waiting: 0,
    table,
    sent: () => tasks,
    cancel: ({ tag }: Task) => table.cancel(tag),
    resend: (task: Task) => resent.push(task),
  } as unknown as Dispatcher
  const threads = [
    { index: 0, isIdle: false, isBusy: true },
    { index: 1, isIdle: true, isBusy: false },
  ] as Thread[]
  shareHeldTasks(dispatcher, new Set(threads), concurrency)
  return resent.length
}

test('what waits behind as many tasks as a thread runs at a time goes to a free one', () => {
  expect(sharedOf({ running: 1, taken: 3, concurrency: 1 })).toBe(1)
  expect(sharedOf({ running: 4, taken: 1, concurrency: 4 })).toBe(1)
})

test('what waits behind a task that was given up goes to a free one', () => {
  expect(sharedOf({ running: 0, taken: 1, concurrency: 1 })).toBe(1)
})

test('what a thread has a hand free for stays there: its value is on the way', () => {
  expect(sharedOf({ running: 1, taken: 2, concurrency: 4 })).toBe(0)
  expect(sharedOf({ running: 3, taken: 1, concurrency: 4 })).toBe(0)
})
