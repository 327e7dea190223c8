import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { AbortListeners } from './abort-listeners.ts'

test('AbortListeners has few listeners on each of several signals that come in turn', () => {
  const controllers = Array.from({ length: 3 }, () => new AbortController())
  const called = [0, 0, 0]
  const ends: (() => void)[] = []
  const add = (signal: AbortSignal, told: () => void): void => {
    const end = (): void => listeners.delete(tell)
    const tell = (): void => {
      told()
      end()
    }
    const listeners = AbortListeners.add(signal, tell)
    ends.push(end)
  }
  for (let count = 0; count < 1000; count++) {
    for (const [index, { signal }] of controllers.entries()) add(signal, () => called[index]!++)
    // In between one that nobody else has.
    add(new AbortController().signal, () => expect.unreachable())
  }
  for (const { signal } of controllers) {
    // Eight on the average; so many with a chance of one in a million millions.
    expect(getEventListeners(signal, 'abort').length).toBeLessThan(250)
  }
  controllers[0]!.abort()
  expect(called).toEqual([1000, 0, 0])
  for (const end of ends) end()
  controllers[1]!.abort()
  expect(called).toEqual([1000, 0, 0])
  for (const { signal } of controllers) expect(getEventListeners(signal, 'abort')).toEqual([])
})
