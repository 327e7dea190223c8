import { expect, test, vi } from 'vitest'
import { Race } from './race.ts'

test('Race gives what a promise comes to while the other one is pending', async () => {
  const race = new Race(new Promise(() => {}))
  expect(await race.run(Promise.resolve(1))).toBe(1)
  await expect(race.run(Promise.reject(new Error('lost')))).rejects.toThrow('lost')
})

test('Race ends when the other one is settled, however that is', async () => {
  for (const settle of ['resolve', 'reject'] as const) {
    const against = Promise.withResolvers<unknown>()
    const race = new Race(against.promise)
    const running = race.run(new Promise(() => {}))
    against[settle](new Error(settle))
    expect(await running).toBeUndefined()
    expect(await race.run(new Promise(() => {}))).toBeUndefined()
  }
})

test('Race leaves one thing with the other promise, not one for each', async () => {
  const against = new Promise(() => {})
  const then = vi.spyOn(against, 'then')
  const race = new Race(against)
  for (let round = 0; round < 100; round++) await race.run(Promise.resolve(round))
  expect(then).toHaveBeenCalledTimes(1)
})
