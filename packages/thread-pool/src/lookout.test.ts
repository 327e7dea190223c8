import { expect, test } from 'vitest'
import { Lookout } from './lookout.ts'

async function lookOnce(lookout: { begin(): boolean; isLooking: boolean }): Promise<void> {
  expect(lookout.begin()).toBe(true)
  while (lookout.isLooking) await new Promise(setImmediate)
}

test('a lookout that finds something ends at once, and looks as long the next time', async () => {
  let looks = 0
  let ends = 0
  const lookout = new Lookout(
    () => ++looks % 5 === 0,
    () => ends++,
    2,
  )
  for (let round = 1; round <= 10; round++) {
    await lookOnce(lookout)
    expect({ looks, ends }).toEqual({ looks: 5 * round, ends: round })
  }
})

test('a lookout in vain is followed by short ones, and by a long one in the end', async () => {
  const lengths: number[] = []
  let looks = 0
  const lookout = new Lookout(
    () => {
      looks++
      return false
    },
    () => {
      lengths.push(looks)
      looks = 0
    },
    2,
  )
  for (let round = 0; round < 500; round++) await lookOnce(lookout)
  const long = lengths.flatMap((length, round) => (length > 2 ? [round] : []))
  expect(lengths.every((length) => length === 2 || length === 20)).toBe(true)
  expect(long.slice(0, 4)).toEqual([0, 3, 10, 25])
  expect(Math.max(...long.map((round, index) => round - (long[index - 1] ?? round)))).toBe(201)
})

test('begin() while it looks goes on with the same look', async () => {
  let looks = 0
  const lookout = new Lookout(
    () => ++looks === 3,
    () => {},
    2,
  )
  lookout.begin()
  await new Promise(setImmediate)
  await lookOnce(lookout)
  expect(looks).toBe(3)
})

test('nobody looks where there is one core: the thread that is waited for needs it', () => {
  const lookout = new Lookout(
    () => true,
    () => {},
    1,
  )
  expect(lookout.begin()).toBe(false)
})
