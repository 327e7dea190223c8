import { compareIndexValues, compareKeys } from '@elkyn/tree'
import type { IndexValue } from '@elkyn/tree'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  edgeKey,
  headOfIndexKey,
  indexKey,
  indexOfIndexKey,
  indexStart,
  isCut,
  readIndexKey,
} from './index-key.ts'

const unit = fc.constantFrom(
  '\u0000',
  '\u0001',
  '\u0002',
  'a',
  'b',
  '\u007f',
  '\u0080',
  'é',
  '\u07ff',
  '\u0800',
  '\ud7ff',
  '\ud800',
  '\udbff',
  '\udc00',
  '\ue000',
  '\uffff',
)
const text = fc.oneof(
  fc.array(unit, { maxLength: 4 }).map((units) => units.join('')),
  // Around the length at which strings are cut.
  fc
    .tuple(fc.integer({ min: 505, max: 515 }), fc.array(unit, { maxLength: 4 }))
    .map(([length, units]) => 'x'.repeat(length) + units.join('')),
)
const value: fc.Arbitrary<IndexValue> = fc.oneof(
  fc.constantFrom<IndexValue[]>(
    null,
    false,
    true,
    {},
    0,
    -0,
    1,
    -1,
    Infinity,
    -Infinity,
    5e-324,
    -5e-324,
  ),
  fc.double({ noNaN: true }),
  text,
)
const name = fc.constantFrom('0', '1', '01', '-1', 'a', 'b', 'é', '\uffff', '😀', 'x'.repeat(768))

describe('indexKey()', () => {
  test('sorts as values do, and equal ones by key', () => {
    fc.assert(
      fc.property(value, name, value, name, (a, nameA, b, nameB) => {
        const order = compareIndexValues(a, b) || compareKeys(nameA, nameB)
        const bytes = Math.sign(Buffer.compare(indexKey(7, 1, a, nameA), indexKey(7, 1, b, nameB)))
        if (isCut(a) && isCut(b) && (a as string).slice(0, 505) === (b as string).slice(0, 505))
          return
        expect(bytes).toBe(Math.sign(order))
      }),
      { numRuns: 3000 },
    )
  })

  test('keeps strings that were cut next to each other', () => {
    fc.assert(
      fc.property(text, text, text, (a, b, c) => {
        const [least, middle, most] = [a, b, c].toSorted((x, y) => compareIndexValues(x, y))
        const keys = [least!, middle!, most!].map((one) => indexKey(7, 1, one, ''))
        expect(Buffer.compare(keys[0]!, keys[1]!)).toBeLessThanOrEqual(0)
        expect(Buffer.compare(keys[1]!, keys[2]!)).toBeLessThanOrEqual(0)
      }),
      { numRuns: 3000 },
    )
  })

  test('gives back what it was made of', () => {
    fc.assert(
      fc.property(value, name, (given, key) => {
        const bytes = indexKey(281474976710655, 0xffffffff, given, key)
        const read = readIndexKey(bytes)
        expect(read.name).toBe(key)
        const kept = typeof given === 'number' ? given + 0 : given
        expect(read.value).toStrictEqual(isCut(given) ? undefined : kept)
        expect(headOfIndexKey(bytes)).toBe(281474976710655)
        expect(indexOfIndexKey(bytes)).toBe(0xffffffff)
        expect(bytes.length).toBeLessThan(1978)
      }),
    )
  })
})

test('edgeKey() lies where the edge does', () => {
  const side = fc.constantFrom('before' as const, 'behind' as const)
  fc.assert(
    fc.property(
      value,
      fc.option(name, { nil: undefined }),
      side,
      value,
      name,
      (at, key, where, other, child) => {
        if (isCut(at) || isCut(other)) return
        const entry = indexKey(7, 1, other, child)
        const order =
          compareIndexValues(other, at) ||
          (key === undefined ? 0 : compareKeys(child, key)) ||
          (where === 'before' ? 1 : -1)
        for (const which of ['low', 'high'] as const) {
          const edge = edgeKey(7, 1, { value: at, key, side: where }, which)
          expect(Buffer.compare(entry, edge) >= 0).toBe(order > 0)
          expect(Buffer.compare(edge, indexStart(7, 1))).toBeGreaterThan(0)
          expect(Buffer.compare(edge, indexStart(7, 2))).toBeLessThan(0)
        }
      },
    ),
    { numRuns: 3000 },
  )
})
