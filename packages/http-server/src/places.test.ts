import { expect, test } from 'vitest'
import { Places } from './places.ts'

test('no more goes on at one time than there are places, and the rest in order', async () => {
  const places = new Places(2)
  const begun: number[] = []
  const ends: (() => void)[] = []
  const all = [0, 1, 2, 3].map((number) =>
    places.run(() => {
      begun.push(number)
      return new Promise<void>((resolve) => (ends[number] = resolve))
    }),
  )
  expect([begun, places.waiting]).toEqual([[0, 1], 2])
  ends[1]!()
  await all[1]
  expect([begun, places.waiting]).toEqual([[0, 1, 2], 1])
  ends[2]!()
  await all[2]
  expect([begun, places.waiting]).toEqual([[0, 1, 2, 3], 0])
})

test('work that fails leaves its place', async () => {
  const places = new Places(1)
  const failed = places.run(() => Promise.reject(new Error('It failed')))
  const next = places.run(async () => 1)
  await expect(failed).rejects.toThrow('It failed')
  expect(await next).toBe(1)
  expect(await places.run(async () => 2)).toBe(2)
})
