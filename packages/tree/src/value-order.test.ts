import fc from 'fast-check'
import { expect, test } from 'vitest'
import { json, print } from '../test/arbitraries.ts'
import { Branch, RankedLeaf, ServerValue } from './node.ts'
import { parseJson } from './parse.ts'
import { comparePriorities, compareValues } from './value-order.ts'

const branch = new Branch(new Map([['z', 1]]))

test('compareValues() orders by kind, then by value', () => {
  const sorted = [
    null,
    false,
    true,
    -Infinity,
    -1,
    0,
    0.5,
    10,
    '',
    '10',
    '9',
    'a',
    '😀',
    '\uffff',
    branch,
  ]
  expect(sorted.toReversed().toSorted(compareValues)).toEqual(sorted)
})

test('compareValues() finds all branches equal, and looks past priorities', () => {
  expect(compareValues(branch, new Branch(new Map([['a', 5]]), 1))).toBe(0)
  expect(compareValues(new RankedLeaf(5, 'p'), 5)).toBe(0)
  expect(compareValues(new RankedLeaf(true, 9), 1)).toBeLessThan(0)
})

test('compareValues() is an order', () => {
  const node = json.map((value) => parseJson(print(value)).node)
  fc.assert(
    fc.property(node, node, node, (a, b, c) => {
      expect(Math.sign(compareValues(a, b))).toBe(0 - Math.sign(compareValues(b, a)))
      const [first, , last] = [a, b, c].toSorted(compareValues)
      expect(compareValues(first as typeof a, last as typeof a)).toBeLessThanOrEqual(0)
    }),
  )
})

test('compareValues() refuses what is not computed yet', () => {
  expect(() => compareValues(new ServerValue(), 1)).toThrow(TypeError)
})

test('comparePriorities() puts none first, then numbers, then strings', () => {
  const sorted = [null, -1, 0, 10, '', '10', '9', 'a']
  expect(sorted.toReversed().toSorted(comparePriorities)).toEqual(sorted)
})
