import { expect, test } from 'vitest'
import { isArrayLike, toCanonical } from './canonical.ts'
import { Branch } from './node.ts'
import { parseJson } from './parse.ts'

/** How children of these names are rendered. */
function rendered(...keys: string[]): string {
  return parseJson(JSON.stringify(Object.fromEntries(keys.map((key) => [key, 'x'])))).text
}

test('toCanonical() renders arrays where keys make them', () => {
  expect(rendered('0')).toBe('["x"]')
  expect(rendered('1')).toBe('[null,"x"]')
  expect(rendered('2')).toBe('{"2":"x"}')
  expect(rendered('0', '1', '5')).toBe('["x","x",null,null,null,"x"]')
  expect(rendered('0', '1', '6')).toBe('{"0":"x","1":"x","6":"x"}')
  expect(rendered('00', '01')).toBe('{"00":"x","01":"x"}')
  expect(rendered('0', '01')).toBe('{"0":"x","01":"x"}')
  expect(rendered('0', '-0')).toBe('{"0":"x","-0":"x"}')
  expect(rendered('-1')).toBe('{"-1":"x"}')
  expect(rendered('0', 'a')).toBe('{"0":"x","a":"x"}')
  expect(rendered('0', '3000000000')).toBe('{"0":"x","3000000000":"x"}')
})

test('toCanonical() applies the rule at each depth by itself', () => {
  expect(parseJson('{"0":{"a":{"1":{"0":1}}}}').text).toBe('[{"a":[null,[1]]}]')
})

test('toCanonical() shows priorities and no arrays in export form', () => {
  const { node } = parseJson('{".priority":1,"0":{".value":"a",".priority":"p"},"1":[true]}')
  expect(toCanonical(node, 'plain')).toBe('["a",[true]]')
  expect(toCanonical(node, 'export')).toBe(
    '{".priority":1,"0":{".value":"a",".priority":"p"},"1":{"0":true}}',
  )
})

test('toCanonical() escapes what JSON escapes and nothing else', () => {
  const text = '"\\u0000\\u001f\\b\\t\\n\\f\\r\\"\\\\/\u007f\u2028é😀"'
  expect(parseJson(text).text).toBe('"\\u0000\\u001f\\b\\t\\n\\f\\r\\"\\\\/\u007f\u2028é😀"')
  expect(parseJson('{"\\"\\\\":1}').text).toBe('{"\\"\\\\":1}')
})

test('toCanonical() makes no text of what is no node', () => {
  for (const value of [{}, [], Number.NaN, Infinity, new Map()]) {
    const node = new Branch(new Map([['a', value as never]]))
    expect(() => toCanonical(node, 'plain')).toThrow(TypeError)
    expect(() => toCanonical(node, 'export')).toThrow('Invalid node')
  }
})

test('toCanonical() gives null for nothing', () => {
  expect(toCanonical(null, 'plain')).toBe('null')
  expect(toCanonical(null, 'export')).toBe('null')
})

test('isArrayLike() looks at keys in key order', () => {
  expect(isArrayLike(new Map())).toBe(false)
  expect(isArrayLike(new Set(['0', '1', '3']))).toBe(true)
  expect(isArrayLike(new Set(['1', '2', '6']))).toBe(false)
})
