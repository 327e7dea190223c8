import process from 'node:process'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { listenForStop } from './signals.ts'

const exit = vi.spyOn(process, 'exit')

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
  exit.mockReset().mockReturnValue(undefined as never)
})

afterEach(() => {
  vi.useRealTimers()
})

test('listenForStop() takes a signal that comes twice at a time for one', () => {
  using stop = listenForStop()
  process.emit('SIGTERM', 'SIGTERM')
  vi.advanceTimersByTime(100)
  process.emit('SIGTERM', 'SIGTERM')
  expect(stop.signal.reason).toBe('SIGTERM')
  expect(exit).not.toHaveBeenCalled()
})

test('listenForStop() ends the process at a second one later', () => {
  using _ = listenForStop()
  process.emit('SIGINT', 'SIGINT')
  vi.advanceTimersByTime(1000)
  process.emit('SIGINT', 'SIGINT')
  expect(exit).toHaveBeenCalledExactlyOnceWith(130)
})

test('listenForStop() ends the process at another signal at once', () => {
  using _ = listenForStop()
  process.emit('SIGTERM', 'SIGTERM')
  process.emit('SIGINT', 'SIGINT')
  expect(exit).toHaveBeenCalledExactlyOnceWith(130)
})
