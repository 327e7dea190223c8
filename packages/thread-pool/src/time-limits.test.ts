import { expect, onTestFinished, test, vi } from 'vitest'
import { now } from './clock.ts'
import { Task } from './task.ts'
import { TimeLimits } from './time-limits.ts'

const nothing = (): void => {}

function taskWithoutTime(timeoutMs = 0): Task {
  const fields = {
    name: 'default',
    priority: 0,
    timeoutMs,
    transferList: undefined,
    key: undefined,
    signal: undefined,
    retry: 0,
  }
  return new Task(1, now(), fields, nothing, nothing)
}

test('a limit of 0 is looked at once in a turn of the event loop while its task waits', async () => {
  const task = taskWithoutTime()
  const given = Promise.withResolvers<Task>()
  let turn = 0
  const turns: number[] = []
  const limits = new TimeLimits({
    beforeCheck: () => turn++,
    startedAt: () => (turns.push(turn) < 5 ? 0 : task.since),
    onTimeout: given.resolve,
    onKill: given.reject,
  })
  limits.watch(task)
  // The timer of the limits does not hold the process.
  const keepAlive = setInterval(nothing, 60_000)
  expect(await given.promise).toBe(task)
  clearInterval(keepAlive)
  // A timer may come early, and then there is nothing to look at in its turn.
  expect(new Set(turns).size).toBe(5)
})

test('a task that waits is looked at no oftener than once in 20 ms', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const task = taskWithoutTime(1)
  const given: Task[] = []
  let looks = 0
  let startedAt = 0
  const limits = new TimeLimits({
    beforeCheck: () => looks++,
    startedAt: () => startedAt,
    onTimeout: (late) => given.push(late),
    onKill: nothing,
  })
  limits.watch(task)
  limits.watch(task)
  vi.advanceTimersByTime(1000)
  expect(looks).toBeGreaterThan(40)
  expect(looks).toBeLessThan(52)
  startedAt = now()
  vi.advanceTimersByTime(25)
  expect(given).toEqual([task])
})

test('what reaches its limit while the answers are read is looked at once more', async () => {
  const first = taskWithoutTime()
  const second = taskWithoutTime()
  const given: unknown[] = []
  const { promise: both, resolve } = Promise.withResolvers<void>()
  let looks = 0
  let secondAt = Infinity
  const limits = new TimeLimits({
    beforeCheck() {
      if (++looks > 1) return
      secondAt = now() + 0.1
      limits.watch(second)
      while (now() <= secondAt) {
        // Reading.
      }
    },
    startedAt: (task) => (task === first ? first.since : secondAt),
    onTimeout(task) {
      if (given.push([task === first ? 'first' : 'second', looks]) === 2) resolve()
    },
    onKill: nothing,
  })
  limits.watch(first)
  const keepAlive = setInterval(nothing, 60_000)
  await both
  clearInterval(keepAlive)
  expect(given).toEqual([
    ['first', 1],
    ['second', 2],
  ])
})

test('a cancelled task that has let go of its thread is forgotten long before its time', async () => {
  const { promise: lastKilled, resolve } = Promise.withResolvers<void>()
  const last = taskWithoutTime()
  last.place = 'slot'
  let kills = 0
  const limits = new TimeLimits({
    beforeCheck: nothing,
    startedAt: () => 0,
    onTimeout: nothing,
    onKill: (task) => {
      kills++
      if (task === last) resolve()
    },
  })
  const at = now()
  limits.killAt(last, at + 1)
  for (let count = 0; count < 10_000; count++) limits.killAt(taskWithoutTime(), at)
  const keepAlive = setInterval(nothing, 60_000)
  await lastKilled
  clearInterval(keepAlive)
  expect(kills).toBeLessThan(2000)
})

test('limits that are all needed are looked through a few times while they are added, not for each', () => {
  let looks = 0
  const task = taskWithoutTime()
  Object.defineProperty(task, 'place', {
    get() {
      looks++
      return 'slot'
    },
  })
  const limits = new TimeLimits({
    beforeCheck: nothing,
    startedAt: () => 0,
    onTimeout: nothing,
    onKill: nothing,
  })
  onTestFinished(() => limits.stop())
  const at = now() + 60_000
  for (let count = 0; count < 16_384; count++) limits.killAt(task, at)
  expect(looks).toBeLessThan(2 * 16_384)
})
