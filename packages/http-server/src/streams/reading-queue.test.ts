import { expect, test, vi } from 'vitest'
import { Refusal } from '../refusal.ts'
import { ReadingQueue } from './reading-queue.ts'
import { Timers } from './timers.ts'

test('ReadingQueue lets what is read once and what is read again go by turns', async () => {
  const begun: string[] = []
  const ends: (() => void)[] = []
  const queue: ReadingQueue<string> = new ReadingQueue(new Timers(), () => begin())
  const begin = (): void =>
    queue.begin(
      (next) => !next.startsWith('later'),
      (next) => {
        begun.push(next)
        const { promise, resolve } = Promise.withResolvers<void>()
        ends.push(resolve)
        void queue.run(() => promise)
      },
    )
  const endNext = async (): Promise<void> => {
    ends.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  for (let index = 0; index < 40; index++) queue.addAgain(`again${index}`)
  begin()
  expect(begun.splice(0)).toHaveLength(32)
  for (const next of ['later', 'once1', 'once2', 'once3']) queue.add(next)
  begin()
  expect(begun).toEqual([])
  for (let ended = 0; ended < 6; ended++) await endNext()
  expect(begun.filter((next) => next.startsWith('once'))).toEqual(['once1', 'once2', 'once3'])
  expect(begun.filter((next) => next.startsWith('again'))).toEqual([
    'again32',
    'again33',
    'again34',
  ])
  for (let ended = 0; ended < 34; ended++) await endNext()
  expect(begun.at(-1)).toBe('again39')
})

function failing(errors: readonly Error[]): () => Promise<string> {
  const left = [...errors]
  return async () => {
    const error = left.shift()
    if (error !== undefined) throw error
    return 'read'
  }
}

test('ReadingQueue waits for a source that is busy, and gives up one that fails again and again', async () => {
  const timers = new Timers()
  vi.spyOn(timers, 'later').mockImplementation((_delayMs, work) => void setImmediate(work))
  const queue = new ReadingQueue<string>(timers, () => {})
  const busy = Array.from({ length: 9 }, () => new Refusal(503, 'Busy'))
  const failed = Array.from({ length: 3 }, () => new Error('Failed'))
  expect(await queue.run(failing([...busy, ...failed, ...busy]))).toBe('read')
  const last = new Error('Failed once too often')
  await expect(queue.run(failing([...failed, ...busy, last]))).rejects.toBe(last)
  const refusal = new Refusal(400, 'There is no index')
  await expect(queue.run(failing([...busy, refusal]))).rejects.toBe(refusal)
})
