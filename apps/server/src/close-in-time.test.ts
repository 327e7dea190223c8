import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { closeInTime } from './close-in-time.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test.each([
  ['that is never closed', new Promise<void>(() => {})],
  ['whose threads are still there when it is closed', Promise.resolve()],
])('closeInTime() ends a process %s', async (_, closing) => {
  const abort = vi.fn<() => Promise<never>>()
  const fatal = vi.fn<() => void>()
  void closeInTime({ close: () => closing, abort }, { fatal })
  await vi.advanceTimersByTimeAsync(20_000)
  expect(abort).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(20_000)
  expect(abort).toHaveBeenCalledOnce()
  expect(fatal).toHaveBeenCalledOnce()
})
