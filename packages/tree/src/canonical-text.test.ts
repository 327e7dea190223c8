import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isCanonicalText } from './canonical-text.ts'
import { JsonTokenizer } from './tokenizer.ts'
import { TreeBuilder } from './tree-builder.ts'
import { TreeValue } from './tree-value.ts'

/** The canonical text by our own reading; `undefined` when the input is refused. */
function readText(text: string, depth: number): string | undefined {
  const builder = new TreeBuilder({ depth })
  const tokenizer = new JsonTokenizer(builder)
  try {
    tokenizer.write(text)
    tokenizer.end()
  } catch {
    return undefined
  }
  return TreeValue.fromNode(builder.value.node ?? null).text
}

const key = fc.oneof(
  fc.constantFrom('a', 'b', 'ab', 'B', '_', ':', ';', '0', '01', '-1', 'é', '__proto__', '.value'),
  fc.string({ maxLength: 3 }),
)
const leaf = fc.oneof(
  fc.constantFrom('0', '-0', '1.0', '0.5', '-0.25', '1e5', '0.000001', '0.0000001', '01', 'null'),
  fc.constantFrom('123456789012345', '1234567890123456', '0.12345678901234', '0.123456789012345'),
  fc.constantFrom('true', 'false', '"\\n"', '"\\u0061"', '"\u2028"', '"😀"', '"\ud83d"'),
  fc.double().map(String),
  fc.string().map((text) => JSON.stringify(text)),
)
const { text: jsonText } = fc.letrec<{ text: string }>((tie) => ({
  text: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('text'), { maxLength: 3 }).map((items) => `[${items.join(',')}]`),
    fc
      .array(fc.tuple(key, tie('text')), { maxLength: 3 })
      .map((members) => members.toSorted(([a], [b]) => (a < b ? -1 : 1)))
      .map((members) => members.map(([name, text]) => `${JSON.stringify(name)}:${text}`))
      .map((members) => `{${members.join(',')}}`),
  ),
}))
const damage = fc.record({
  at: fc.nat({ max: 60 }),
  cut: fc.nat({ max: 1 }),
  put: fc.constantFrom('', ' ', ',', '"', '{', '}', '[', ']', ':', '0', '.', '-', 'e', '\n', '\\'),
})

test('isCanonicalText() takes only what our own reading gives back', () => {
  fc.assert(
    fc.property(jsonText, fc.option(damage), fc.nat({ max: 32 }), (whole, damaged, depth) => {
      const { at = 0, cut = 0, put = '' } = damaged ?? {}
      const text = whole.slice(0, at) + put + whole.slice(at + cut)
      return !isCanonicalText(text, depth) || readText(text, depth) === text
    }),
    { numRuns: 5000 },
  )
})

test('isCanonicalText() takes what programs write in key order', () => {
  for (const value of [
    { active: true, age: 36, balance: -12.25, city: 'Göteborg', tags: ['a', { b: false }] },
    [1, 0.5, 999_999_999_999_999, 0.000001, 'a "quoted"'.replaceAll('"', '')],
    'text',
    0,
    false,
  ]) {
    expect(isCanonicalText(JSON.stringify(value), 0)).toBe(true)
  }
})

test('isCanonicalText() leaves to a closer look what may not be canonical', () => {
  const removed = [
    '',
    ' 1',
    '1 ',
    '{"a": 1}',
    '{}',
    '[]',
    '{"a":{}}',
    'null',
    '[null]',
    '{"a":null}',
  ]
  const keys = ['{"b":1,"a":2}', '{"a":1,"a":1}', '{"1":1}', '{"é":1}', '{"":1}', '{"a.b":1}']
  const numbers = ['-0', '1.0', '01', '1.', '1e2', '0.0000001', '1234567890123456']
  const broken = ['{"a":1', '{"a":1,}', '["a"', '"a', 'tru', '{"a":1}}', '{a:1}', '\ufeff1']
  const strings = ['"\\u0061"', '"\ud83d"', '"\n"']
  for (const text of [...removed, ...keys, ...numbers, ...broken, ...strings]) {
    expect([text, isCanonicalText(text, 0)]).toEqual([text, false])
  }
})

test('isCanonicalText() counts the levels', () => {
  expect(isCanonicalText('{"a":[1]}', 30)).toBe(true)
  expect(isCanonicalText('{"a":[1]}', 31)).toBe(false)
  expect(isCanonicalText('1', 32)).toBe(true)
  expect(isCanonicalText(`{"${'k'.repeat(768)}":1}`, 0)).toBe(true)
  expect(isCanonicalText(`{"${'k'.repeat(769)}":1}`, 0)).toBe(false)
})
