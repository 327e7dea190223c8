import fc from 'fast-check'
import { expect, test } from 'vitest'
import { plainJson, print } from '../test/arbitraries.ts'
import type { Json } from '../test/arbitraries.ts'
import { hasEscapedKey } from './native-json.ts'

test('hasEscapedKey() finds escapes in keys only', () => {
  expect(hasEscapedKey('{"a":"\\n","b":["\\"","\\\\"],"c":"x\\":"}')).toBe(false)
  expect(hasEscapedKey('{"\\u0061":1}')).toBe(true)
  expect(hasEscapedKey('{"a":"\\\\","b\\\\" \n:1}')).toBe(true)
  expect(hasEscapedKey('["\\\\",{"\\"":1}]')).toBe(true)
  expect(hasEscapedKey('"\\":"')).toBe(false)
  expect(hasEscapedKey('"\\')).toBe(false)
})

test('hasEscapedKey() knows a key from a value in any text', () => {
  const hasBackslashKey = (json: Json): boolean =>
    typeof json === 'object' &&
    json !== null &&
    ('items' in json
      ? json.items.some(hasBackslashKey)
      : json.members.some(([name, member]) => /["\\]/.test(name) || hasBackslashKey(member)))
  fc.assert(
    fc.property(plainJson, (json) => {
      // Printed without a choice nothing is escaped that need not be.
      expect(hasEscapedKey(print(json))).toBe(hasBackslashKey(json))
    }),
  )
})
