import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { key, plainJson, print } from '../test/arbitraries.ts'
import { toCanonical } from './canonical.ts'
import { locate, replaceLocated } from './locate.ts'
import { withChild } from './node-edit.ts'
import { Branch, nodeAt } from './node.ts'
import type { TreeNode } from './node.ts'
import { parseJson } from './parse.ts'

const value = plainJson.map((json) => parseJson(print(json)))

function allPaths(node: TreeNode | null, path: string[] = []): string[][] {
  const below = node instanceof Branch ? [...node.children] : []
  return [path, ...below.flatMap(([name, child]) => allPaths(child, [...path, name]))]
}

function located(text: string, keys: readonly string[]): string | undefined {
  const span = locate(text, keys)
  return span && text.slice(span.start, span.end)
}

describe('locate()', () => {
  test('it finds the text of each node', () => {
    fc.assert(
      fc.property(value, ({ text, node }) => {
        fc.pre(node !== null)
        for (const path of allPaths(node)) {
          expect(located(text, path)).toBe(toCanonical(nodeAt(node, path), 'plain'))
        }
      }),
    )
  })

  test('it finds nothing where nothing is', () => {
    fc.assert(
      fc.property(value, fc.array(key, { maxLength: 3 }), ({ text, node }, keys) => {
        for (const path of allPaths(node)) {
          const found = nodeAt(node, [...path, ...keys])
          expect(located(text, [...path, ...keys])).toBe(
            found === null ? undefined : toCanonical(found, 'plain'),
          )
        }
      }),
    )
  })

  test('it tells gaps and leaves that look like something else apart', () => {
    expect(located('[1,null,"null"]', ['1'])).toBe(undefined)
    expect(located('[1,null,"null"]', ['2'])).toBe('"null"')
    expect(located('[1,null,"null"]', ['02'])).toBe(undefined)
    expect(located('{"a":"{\\"b\\":1}","b":2}', ['b'])).toBe('2')
    expect(located('{"a":"{\\"b\\":1}"}', ['a', 'b'])).toBe(undefined)
    expect(located('{"a\\\\":{"\\"":1}}', ['a\\', '"'])).toBe('1')
    expect(located('null', [])).toBe(undefined)
  })

  test('it comes to an end on text that is cut off', () => {
    fc.assert(
      fc.property(value, fc.nat(), fc.array(key, { maxLength: 3 }), ({ text }, cut, keys) => {
        const part = text.slice(0, cut % (text.length + 1))
        expect(locate(part, keys)?.start ?? 0).toBeLessThanOrEqual(part.length)
      }),
    )
  })
})

test('replaceLocated() gives the canonical text of the tree with another value', () => {
  const other = value.filter(({ isNull }) => !isNull)
  fc.assert(
    fc.property(value, other, ({ text, node }, replacement) => {
      fc.pre(node !== null)
      for (const path of allPaths(node)) {
        expect(replaceLocated(text, path, replacement.text)).toBe(
          toCanonical(withChild(node, path, replacement.node), 'plain'),
        )
      }
      expect(replaceLocated(text, ['not there'], '1')).toBe(undefined)
    }),
  )
})
