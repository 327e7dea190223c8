import fc from 'fast-check'
import { expect, test } from 'vitest'
import { escapeKey, unescapeKey } from './escape-key.ts'
import { checkKey } from './key.ts'

test('escapeKey() makes a key of any name, and unescapeKey() the name again', () => {
  const name = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.string({
      unit: fc.constantFrom('.', '$', '#', '[', ']', '/', '%', '\n', '\u007f', '2', 'E', 'a'),
    }),
    fc.string({ unit: fc.constantFrom('\ud800', '\udbff', '\udc00', '\udfff', '%', 'D', '8') }),
  )
  fc.assert(
    fc.property(name, (text) => {
      const key = escapeKey(text)
      checkKey(key)
      expect(unescapeKey(key)).toBe(text)
    }),
  )
})

test('escapeKey() changes only what it must', () => {
  expect(escapeKey('4.4')).toBe('4%2E4')
  expect(escapeKey('a/b [c] é😀')).toBe('a%2Fb %5Bc%5D é😀')
  expect(escapeKey('100%')).toBe('100%25')
  expect(escapeKey('\udc00\ud800.\ud83d\ude00')).toBe('%DC00%D800%2E\ud83d\ude00')
  expect(escapeKey('')).toBe('%')
  expect(escapeKey('plain')).toBe('plain')
})

test('unescapeKey() leaves alone what escapeKey() never writes', () => {
  expect(unescapeKey('%41%zz%2')).toBe('%41%zz%2')
})
