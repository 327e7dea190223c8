import { expect, test } from 'vitest'
import { now } from './clock.ts'
import { Task } from './task.ts'
import { TimeLimits } from './time-limits.ts'

test('a limit of 0 is looked at once in a turn of the event loop while its task waits', async () => {
  const fields = {
    name: 'default',
    priority: 0,
    timeoutMs: 0,
    transferList: undefined,
    key: undefined,
    signal: undefined,
    retry: 0,
  }
  const nothing = (): void => {}
  const task = new Task(1, now(), fields, nothing, nothing)
  const given = Promise.withResolvers<Task>()
  let turn = 0
  const turns: number[] = []
  const limits = new TimeLimits({
    beforeCheck: () => turn++,
    startedAt: () => (turns.push(turn) < 5 ? 0 : task.since),
    onTimeout: given.resolve,
    onKill: given.reject,
  })
  limits.add(task, task.since, 'timeout', 1)
  // The timer of the limits does not hold the process.
  const keepAlive = setInterval(nothing, 60_000)
  expect(await given.promise).toBe(task)
  clearInterval(keepAlive)
  // A timer may come early, and then there is nothing to look at in its turn.
  expect(new Set(turns).size).toBe(5)
})
