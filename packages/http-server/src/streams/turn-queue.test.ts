import { setImmediate } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { TurnQueue } from './turn-queue.ts'

test('TurnQueue begins at once, and goes on in the next turn when this one has taken long', async () => {
  let now = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
  onTestFinished(() => clock.mockRestore())
  const begun: number[] = []
  const queue = new TurnQueue<number>((next) => {
    begun.push(next)
    now += 0.6
    return undefined
  })
  for (const next of [1, 2, 3, 4, 5]) queue.add(next)
  queue.run()
  expect(begun).toEqual([1, 2])
  queue.add(6)
  queue.run()
  expect(begun).toEqual([1, 2])
  await setImmediate()
  expect(begun).toEqual([1, 2, 3, 4])
  await setImmediate()
  expect(begun).toEqual([1, 2, 3, 4, 5, 6])
})
