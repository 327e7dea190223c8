import { expect, test } from 'vitest'
import { RestartPolicy } from './restart-policy.ts'

test('pauseAfter() starts again at once what had run for a while, however often', () => {
  const policy = new RestartPolicy({ maxQuickRuns: 2 })
  expect([1, 2, 3, 4].map(() => policy.pauseAfter(10_000))).toEqual([0, 0, 0, 0])
})

test('pauseAfter() waits longer after each quick run, then gives up', () => {
  const policy = new RestartPolicy({ maxQuickRuns: 6, pauseMs: 100, maxPauseMs: 500 })
  const pauses = [1, 2, 3, 4, 5, 6].map(() => policy.pauseAfter(9_999))
  expect(pauses).toEqual([0, 100, 200, 400, 500, undefined])
})

test('pauseAfter() forgets quick runs when a longer one came between', () => {
  const policy = new RestartPolicy({ maxQuickRuns: 3 })
  policy.pauseAfter(1)
  expect(policy.pauseAfter(1)).toBe(100)
  expect(policy.pauseAfter(60_000)).toBe(0)
  expect(policy.pauseAfter(1)).toBe(0)
  expect(policy.pauseAfter(1)).toBe(100)
})
