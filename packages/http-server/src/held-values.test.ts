import { expect, test } from 'vitest'
import { HeldValues } from './held-values.ts'
import { Refusal } from './refusal.ts'

const place = { line: 1, column: 2 }

test('HeldValues limits those of each body, and ten times as many of all', () => {
  const values = new HeldValues(10)
  const first = values.begin()
  for (let count = 0; count < 10; count++) first.limit.add(place)
  expect(() => first.limit.add(place)).toThrow(
    expect.objectContaining({ code: 'ERR_TOO_MANY_VALUES', line: 1, column: 2 }),
  )
  const others = Array.from({ length: 9 }, () => values.begin())
  for (const { limit } of others) for (let count = 0; count < 10; count++) limit.add(place)
  expect(() => values.begin().limit.add(place)).toThrow(Refusal)
  first[Symbol.dispose]()
  first[Symbol.dispose]()
  // A long one counts as several, and they are given back.
  const long = values.begin()
  long.limit.addBytes(8000, place)
  expect(() => long.limit.addBytes(8000, place)).toThrow(
    expect.objectContaining({ code: 'ERR_TOO_MANY_VALUES' }),
  )
  long[Symbol.dispose]()
  const last = values.begin()
  for (let count = 0; count < 10; count++) last.limit.add(place)
  expect(() => values.begin().limit.add(place)).toThrow(Refusal)
})
