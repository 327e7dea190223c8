import { describe, expect, test } from 'vitest'
import { toCanonical } from './canonical.ts'
import { applyChange } from './change.ts'
import type { TreeNode } from './node.ts'
import { parseJson } from './parse.ts'
import { parsePath } from './path.ts'
import type { Change } from './store.ts'

function change(pairs: Readonly<Record<string, string | undefined>>): Change {
  return {
    sequence: 7,
    time: 0,
    id: 'x-7',
    pairs: Object.entries(pairs).map(([path, json]) => ({
      path: parsePath(path, { priority: true }),
      value: json === undefined ? undefined : parseJson(json),
    })),
  }
}

function applied(root: TreeNode | null, pairs: Record<string, string>): string {
  return toCanonical(applyChange(root, change(pairs)), 'export')
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

  test('it leaves the tree before as it was', () => {
    const { node } = parseJson('{"a":{"b":1}}')
    applyChange(node, change({ 'a/b': '2' }))
    expect(node).toEqual(parseJson('{"a":{"b":1}}').node)
  })

  test('a change that does not carry a value is refused', () => {
    expect(() => applyChange(null, change({ a: undefined }))).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_VALUE', path: '/a' }),
    )
  })
})
