import { expect, test } from 'vitest'
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
