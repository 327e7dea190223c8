import fc from 'fast-check'
import { expect, test } from 'vitest'
import { json, plainJson, print } from '../test/arbitraries.ts'
import { naiveNode, naiveText } from '../test/naive-tree.ts'
import { hasPriority } from './node.ts'
import type { Branch } from './node.ts'
import { parseJson } from './parse.ts'
import { TreeValue } from './tree-value.ts'

test('text and node are made from one another', () => {
  fc.assert(
    fc.property(fc.oneof(plainJson, json), (value) => {
      const naive = naiveNode(value)
      const { node, form, text } = parseJson(print(value))
      expect(form).toBe(hasPriority(node) ? 'export' : 'plain')
      expect(text).toBe(naiveText(naive, form))
      const fromText = TreeValue.fromCanonical(text, form)
      const fromNode = TreeValue.fromNode(node)
      expect(fromText.node).toEqual(node)
      expect(fromNode.form).toBe(form)
      for (const each of [fromText, fromNode]) {
        expect(each.toText('plain')).toBe(naiveText(naive, 'plain'))
        expect(each.toText('export')).toBe(naiveText(naive, 'export'))
        expect(each.text).toBe(text)
      }
    }),
  )
})

test('a text may be deeper than a tree, as one of several databases is', () => {
  for (const key of ['k', 'a"b']) {
    const text = `${`{${JSON.stringify(key)}:`.repeat(40)}1${'}'.repeat(40)}`
    expect(TreeValue.fromNode(TreeValue.fromCanonical(text, 'plain').node).text).toBe(text)
  }
})

test('there is one null value', () => {
  expect(TreeValue.fromNode(null)).toBe(TreeValue.null)
  expect(TreeValue.fromCanonical('null', 'plain')).toBe(TreeValue.null)
  expect(parseJson('{"a":[]}')).toBe(TreeValue.null)
  expect(TreeValue.null.isNull).toBe(true)
  expect(parseJson('"null"').isNull).toBe(false)
})

test('JSON.stringify() gives the plain form under any name', () => {
  const value = parseJson('{".priority":1,"b":["x"]}')
  expect(JSON.stringify({ export: value, plain: value })).toBe(
    '{"export":{"b":["x"]},"plain":{"b":["x"]}}',
  )
})

test('keys are read right where V8 reads them wrong', () => {
  // https://github.com/nodejs/node/issues/63785
  const poison = '{"p":0,"a\\\\\\"":1,"\\\\":2}'
  const victim = '{"p":0,"a\\"x":1,"\\"":2}'
  for (let count = 0; count < 3; count++) {
    for (const text of [poison, victim]) {
      const keys = text === poison ? ['p', 'a\\"', '\\'] : ['p', 'a"x', '"']
      const value = parseJson(text)
      expect(value.text).toBe(parseJson(value.text).text)
      expect([...(value.node as Branch).children.keys()].toSorted()).toEqual(keys.toSorted())
      const { node } = TreeValue.fromCanonical(value.text, 'plain')
      expect([...(node as Branch).children.keys()].toSorted()).toEqual(keys.toSorted())
      expect(Object.keys(value.toJSON() as object).toSorted()).toEqual(keys.toSorted())
    }
  }
})

test('toJSON() gives what JSON.parse() makes of the plain text', () => {
  fc.assert(
    fc.property(fc.oneof(plainJson, json), (value) => {
      const { text } = TreeValue.fromNode(parseJson(print(value)).node)
      const tree = parseJson(text)
      expect(JSON.stringify(tree)).toBe(JSON.stringify(tree.toJSON()))
      expect(parseJson(JSON.stringify(tree)).text).toBe(tree.toText('plain'))
    }),
  )
})
