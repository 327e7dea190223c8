import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keyOrders } from '../test/key-orders.ts'
import { toCanonical } from './canonical.ts'
import { applyChange } from './change.ts'
import type { TreeNode } from './node.ts'
import { parseJson } from './parse.ts'
import { parsePath } from './path.ts'
import type { Change } from './store.ts'

function change(pairs: readonly (readonly [string, string | undefined])[]): Change {
  return {
    sequence: 7,
    time: 0,
    id: 'x-7',
    pairs: pairs.map(([path, json]) => ({
      path: parsePath(path, { priority: true }),
      value: json === undefined ? undefined : parseJson(json),
    })),
  }
}

function applied(root: TreeNode | null, pairs: Record<string, string>): string {
  return toCanonical(applyChange(root, change(Object.entries(pairs))), 'export')
}

describe('applyChange()', () => {
  test('it applies pairs in order', () => {
    expect(applied(null, { 'a/b': '1', c: '[true]', 'a/.priority': '"p"' })).toBe(
      '{"a":{".priority":"p","b":1},"c":{"0":true}}',
    )
    expect(applied(parseJson('{"a":{"b":1}}').node, { 'a/b': 'null' })).toBe('null')
    expect(applied(5, { '/': '{"x":1}' })).toBe('{"x":1}')
    expect(applied(5, { '/.priority': '1' })).toBe('{".value":5,".priority":1}')
  })

  test('many pairs give what one after the other does, with children in key order', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'z', '1', '10')
    const place = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'))
    const value = fc.constantFrom('1', '{"b":1,"z":2}', '{"c":{"1":1}}', 'null')
    const ranked = place.map((path) => `${path}/.priority`)
    const rank = fc.constantFrom('1', '"p"', 'null')
    const pairs = fc.array(fc.oneof(fc.tuple(place, value), fc.tuple(ranked, rank)))
    const before = fc.constantFrom('null', '5', '{"a":{"c":1,"d":2}}')
    // The branch with the priority is another one, with the same children.
    const again: [string, string][] = [
      ['a/z', '1'],
      ['a/b', '2'],
      ['a/.priority', '5'],
      ['a/c/.priority', '7'],
    ]
    fc.assert(
      fc.property(before, pairs, (text, all) => {
        const { node } = parseJson(text)
        let expected: TreeNode | null = node
        for (const [path, json] of all) expected = applyChange(expected, change([[path, json]]))
        const result = applyChange(node, change(all))
        expect(toCanonical(result, 'export')).toBe(toCanonical(expected, 'export'))
        expect(keyOrders(result)).toEqual(keyOrders(parseJson(toCanonical(result, 'export')).node))
        expect(node).toEqual(parseJson(text).node)
      }),
      { numRuns: 1000, examples: [['{"a":{"c":1,"d":2}}', again]] },
    )
  })

  test('it leaves the tree before as it was', () => {
    const { node } = parseJson('{"a":{"b":1}}')
    applyChange(node, change([['a/b', '2']]))
    expect(node).toEqual(parseJson('{"a":{"b":1}}').node)
  })

  test('a change that does not carry a value is refused', () => {
    expect(() => applyChange(null, change([['a', undefined]]))).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_VALUE', path: '/a' }),
    )
  })
})
