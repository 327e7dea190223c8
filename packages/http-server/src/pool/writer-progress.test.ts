import { expect, onTestFinished, test, vi } from 'vitest'
import { StallWatch, progressBytes } from './writer-progress.ts'

test('a writer is not taken for dead because of the time that the whole process was stopped', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  let now = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
  onTestFinished(() => {
    clock.mockRestore()
    vi.useRealTimers()
  })
  const stalled = vi.fn<() => void>()
  using watch = new StallWatch(new SharedArrayBuffer(progressBytes), 1000, () => true, stalled)
  expect(watch).toBeDefined()
  const look = (passedMs: number): void => {
    now += passedMs
    vi.advanceTimersToNextTimer()
  }
  for (let count = 0; count < 3; count++) look(250)
  look(60_000)
  for (let count = 0; count < 3; count++) look(250)
  expect(stalled).not.toHaveBeenCalled()
  look(250)
  expect(stalled).toHaveBeenCalledOnce()
})
