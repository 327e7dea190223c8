import { expect, test } from 'vitest'
import type { Dispatcher } from './dispatcher.ts'
import { HeldTasks } from './held-tasks.ts'
import { TaskTable } from './task-table.ts'
import type { Task } from './task.ts'
import type { Thread } from './thread.ts'

interface Scene {
  running: number
  taken: number
  concurrency: number
  /** Tasks in the queue. */
  waiting?: number
  /** Whether thread 1 has nothing to do. */
  isFree?: boolean
  maxThreads?: number
}

/** Two threads: 0 has what it says in hand. */
function setScene(scene: Scene) {
  const { running, taken, waiting = 0, concurrency, maxThreads = 2, isFree = true } = scene
  const table = TaskTable.allocate(16)
  const tasks = Array.from({ length: running + taken }, (_, slot) => {
    const tag = table.open(slot, false)
    table.take(tag, 0)
    if (slot < running) table.start(tag, 0)
    return { tag, since: slot, isMoved: false, item: new Uint8Array() } as Task
  })
  const resent: Task[] = []
  const dispatcher = {
    waiting,
    table,
    wakeOne() {},
    sent: () => tasks,
    cancel: ({ tag }: Task) => table.cancel(tag),
    resend: (task: Task) => resent.push(task),
  } as unknown as Dispatcher
  const first = { index: 0, isIdle: false, isBusy: true, completed: 0, failed: 0 }
  const second = { index: 1, isIdle: isFree, isBusy: !isFree, completed: 0, failed: 0 }
  const threads = new Set([first, second] as unknown as Thread[])
  /** What thread 0 has answered and nobody has heard. */
  const unheard = { completed: 0 }
  const held = new HeldTasks(dispatcher, { concurrency, maxThreads }, (thread) => {
    if (thread.index === 0) first.completed += unheard.completed
  })
  /** @returns how many tasks are sent again at this tick */
  const tick = (): number => {
    resent.length = 0
    held.giveBack(threads)
    return resent.length
  }
  return { tick, first, unheard }
}

test('what waits behind as many tasks as a thread runs at a time goes to a free one', () => {
  expect(setScene({ running: 1, taken: 3, concurrency: 1 }).tick()).toBe(1)
  expect(setScene({ running: 4, taken: 1, concurrency: 4 }).tick()).toBe(1)
})

test('what waits behind a task that was given up goes to a free one', () => {
  expect(setScene({ running: 0, taken: 1, concurrency: 1 }).tick()).toBe(1)
})

test('what a thread has a hand free for stays there: its value is on the way', () => {
  const some = setScene({ running: 1, taken: 2, concurrency: 4 })
  const more = setScene({ running: 3, taken: 1, concurrency: 4 })
  expect([some.tick(), some.tick(), more.tick(), more.tick()]).toEqual([0, 0, 0, 0])
})

test('a thread that has ended nothing since the last tick gives back all that it holds', () => {
  const busy = { running: 1, taken: 3, concurrency: 1, isFree: false }
  const quiet = setScene(busy)
  expect([quiet.tick(), quiet.tick(), quiet.tick()]).toEqual([0, 3, 0])
  const crowded = setScene({ ...busy, waiting: 100 })
  expect([crowded.tick(), crowded.tick()]).toEqual([0, 3])
})

test('a thread keeps what it holds as long as it ends something at each tick, or has just begun', () => {
  const { tick, first, unheard } = setScene({
    running: 1,
    taken: 3,
    concurrency: 1,
    isFree: false,
  })
  expect(tick()).toBe(0)
  first.completed++
  expect(tick()).toBe(0)
  unheard.completed = 1
  expect(tick()).toBe(0)
  unheard.completed = 0
  first.isBusy = false
  expect(tick()).toBe(0)
  first.isBusy = true
  expect([tick(), tick()]).toEqual([0, 3])
})

test('the only thread of a pool keeps what it holds, in its order', () => {
  const { tick } = setScene({
    running: 1,
    taken: 3,
    concurrency: 1,
    isFree: false,
    maxThreads: 1,
  })
  expect([tick(), tick(), tick()]).toEqual([0, 0, 0])
})
