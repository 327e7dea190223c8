import { expect, test } from 'vitest'
import { Flattened } from './iterable.ts'

/** Lists, and whether their reader has let go of them. */
function watched(lists: readonly (readonly number[])[]) {
  const seen = { begun: 0, hasEnded: false }
  function* each(): Generator<readonly number[], void, void> {
    try {
      for (const list of lists) {
        seen.begun++
        yield list
      }
    } finally {
      seen.hasEnded = true
    }
  }
  return { seen, members: new Flattened(each()) }
}

test('members come in order, also over lists without any', () => {
  const { seen, members } = watched([[], [1, 2], [], [], [3], []])
  expect([...members]).toEqual([1, 2, 3])
  expect(seen).toEqual({ begun: 6, hasEnded: true })
  expect(members.next()).toEqual({ done: true, value: undefined })
})

test('a list is begun when it is needed, and all end when their reader stops early', () => {
  const { seen, members } = watched([[1, 2], [3]])
  expect(seen.begun).toBe(0)
  for (const member of members) {
    if (member === 1) break
  }
  expect(seen).toEqual({ begun: 1, hasEnded: true })
  expect([...members]).toEqual([])
})

test('what a list throws reaches the reader', () => {
  const failing = new Flattened(
    (function* (): Generator<readonly number[], void, void> {
      yield [1]
      throw new Error('no more')
    })(),
  )
  const got: number[] = []
  expect(() => {
    for (const member of failing) got.push(member)
  }).toThrow('no more')
  expect(got).toEqual([1])
})
