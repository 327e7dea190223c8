import { expect, test } from 'vitest'
import { TaskState, TaskTable } from './task-table.ts'

test('only one of two threads takes a task', () => {
  const table = TaskTable.allocate(4)
  const tag = table.open(2, false)
  expect(table.takeAndStart(tag, 0)).toBe(true)
  expect(table.takeAndStart(tag, 1)).toBe(false)
  expect(table.thread(tag)).toBe(0)
})

test('a task that is timed has no start before it is noted, whenever the slot was used before', () => {
  const table = TaskTable.allocate(1)
  table.noteStart(table.open(0, true), 5)
  const tag = table.open(0, true)
  expect(table.startedAt(tag)).toBe(0)
  table.noteStart(tag, 6)
  expect(table.startedAt(tag)).toBe(6)
})

test('a task that was cancelled is not started, and one that was started is not cancelled', () => {
  const table = TaskTable.allocate(4)
  const cancelled = table.open(0, false)
  expect(table.cancel(cancelled)).toBe(true)
  expect(table.takeAndStart(cancelled, 0)).toBe(false)
  const started = table.open(1, false)
  expect(table.takeAndStart(started, 0)).toBe(true)
  expect(table.cancel(started)).toBe(false)
})

test('a task that was taken and has no value yet can be cancelled', () => {
  const table = TaskTable.allocate(1)
  const tag = table.open(0, false)
  expect(table.take(tag, 3)).toBe(true)
  expect(table.thread(tag)).toBe(3)
  expect(table.cancel(tag)).toBe(true)
  expect(table.start(tag, 3)).toBe(false)
})

test('a running task sees its own cancellation and no other', () => {
  const table = TaskTable.allocate(2)
  const [first, second] = [table.open(0, false), table.open(1, false)]
  table.takeAndStart(first, 0)
  table.takeAndStart(second, 0)
  table.requestCancel(first)
  expect([table.isCancelled(first), table.isCancelled(second)]).toEqual([true, false])
  expect(table.thread(first)).toBe(0)
})

test('a slot that is used again does not answer to the old tag', () => {
  const table = TaskTable.allocate(1)
  const old = table.open(0, false)
  table.cancel(old)
  const fresh = table.open(0, false)
  expect(fresh).not.toBe(old)
  expect(table.takeAndStart(old, 0)).toBe(false)
  expect(table.state(fresh)).toBe(TaskState.Queued)
  expect(table.isCancelled(old)).toBe(true)
})

test('generations go round without a sign', () => {
  const table = TaskTable.allocate(1)
  let wrong = 0
  for (let use = 0; use < 70_000; use++) {
    const tag = table.open(0, false)
    if (tag < 0 || !table.takeAndStart(tag, 4095) || table.thread(tag) !== 4095) wrong++
  }
  expect(wrong).toBe(0)
  expect(table.thread(table.openFor(0, false, 7))).toBe(7)
})
