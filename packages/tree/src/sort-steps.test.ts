import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sortSteps } from './sort-steps.ts'

interface Item {
  readonly value: number
  readonly place: number
}

const compare = (a: Item, b: Item): number => a.value - b.value

function sorted(items: readonly Item[]): Item[] {
  const steps = sortSteps([...items], compare, 'rest')
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    expect(value).toBe('rest')
  }
}

function itemsOf(values: readonly number[]): Item[] {
  return values.map((value, place) => ({ value, place }))
}

test('sortSteps() sorts as arrays do, and keeps the order of equal items', () => {
  const piece = fc.tuple(fc.nat({ max: 1500 }), fc.integer(), fc.constantFrom(1, -1, 7, 1009))
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 6 }),
      fc.integer({ min: 1, max: 3000 }),
      (pieces, kinds) => {
        const values = pieces.flatMap(([length, first, step]) =>
          Array.from({ length }, (_, index) => (first + index * step) % kinds),
        )
        const items = itemsOf(values)
        expect(sorted(items)).toEqual(items.toSorted(compare))
      },
    ),
    { numRuns: 50 },
  )
})

test('sortSteps() compares a few thousand times before it lets others have their turn', () => {
  const items = itemsOf(Array.from({ length: 50_000 }, (_, index) => (index * 7919) % 50_021))
  let compared = 0
  let most = 0
  const steps = sortSteps(
    items,
    (a, b) => {
      compared++
      return compare(a, b)
    },
    undefined,
  )
  while (steps.next().done !== true) {
    most = Math.max(most, compared)
    compared = 0
  }
  expect(most).toBeGreaterThan(0)
  expect(Math.max(most, compared)).toBeLessThan(20_000)
})
