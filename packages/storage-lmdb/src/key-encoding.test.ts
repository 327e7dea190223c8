import { compareKeys, parseIntegerKey } from '@elkyn/tree'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  integerAt,
  isIntegerAt,
  isOddInteger,
  readName,
  writeBound,
  writeName,
} from './key-encoding.ts'

const hostile = [
  '-0',
  '00',
  '0',
  '000',
  '-00',
  '1',
  '01',
  '001',
  '-1',
  '-01',
  '9',
  '10',
  '2147483647',
  '2147483648',
  '-2147483648',
  '-2147483649',
  '3000000000',
  '007',
  '-',
  '--1',
  '1a',
  'a1',
  '__proto__',
  'constructor',
  'toString',
  ' ',
  '!',
  '~',
  'é',
  '日本',
  '😀',
  '\uffff',
  'ab',
  'a',
  'b',
  '+1',
  '1e3',
  '%2F',
  '0'.repeat(768),
  '9'.repeat(768),
  'x'.repeat(768),
]

const key = fc.oneof(
  fc.constantFrom(...hostile),
  fc.integer().map(String),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
  fc.stringMatching(/^-?0{0,4}\d{1,11}$/),
)

function encode(name: string): Buffer {
  const target = Buffer.alloc(4096)
  return target.subarray(0, writeName(name, target, 0))
}

test('readName() gives back what writeName() wrote', () => {
  fc.assert(
    fc.property(key, (name) => {
      const bytes = encode(name)
      expect(readName(bytes, 0, bytes.length)).toBe(name)
    }),
  )
})

test('writeName() sorts as the keys of a tree do', () => {
  fc.assert(
    fc.property(key, key, (a, b) => {
      expect(Math.sign(Buffer.compare(encode(a), encode(b)))).toBe(Math.sign(compareKeys(a, b)))
    }),
  )
})

test('writeName() tells all hostile names apart', () => {
  const seen = new Set(hostile.map((name) => encode(name).toString('hex')))
  expect(seen.size).toBe(hostile.length)
})

test('isOddInteger() knows the spellings that arrays never have', () => {
  expect(['-0', '00', '01', '-1', '-2147483648'].every(isOddInteger)).toBe(true)
  expect(['0', '7', '10', 'a', '-', '3000000000'].some(isOddInteger)).toBe(false)
})

test('isOddInteger() tells the spellings of arrays from others', () => {
  fc.assert(
    fc.property(key, (name) => {
      const bytes = encode(name)
      const integer = parseIntegerKey(name)
      expect(isIntegerAt(bytes, 0)).toBe(integer !== undefined)
      if (integer === undefined) return
      expect(integerAt(bytes, 0)).toBe(integer)
      expect(isOddInteger(name)).toBe(integer < 0 || String(integer) !== name)
    }),
  )
})

const bound = fc.oneof(
  key,
  fc.constantFrom('', '\u0000', '\u0005', '\u0010\u0001', '\u001f', '\u007f', '.', '/', '$#[]'),
  fc.constantFrom(
    '0'.repeat(5000),
    `${'0'.repeat(70_000)}7`,
    '9'.repeat(5000),
    `-${'0'.repeat(900)}`,
  ),
  fc.constantFrom('x'.repeat(5000), `${'x'.repeat(768)}y`, 'é'.repeat(4000), '😀'.repeat(4000)),
  fc.constantFrom(
    '\ud800',
    '\udc00',
    '\ud83d',
    'a\ude00',
    '\ud83da',
    '\ud801\ue000',
    '\ud83d\ud83d',
  ),
  fc.constantFrom(`x${'😀'.repeat(1000)}`, `${'x'.repeat(767)}😀`, '日'.repeat(257)),
)

test('writeBound() puts any text where it stands among names', () => {
  fc.assert(
    fc.property(key, bound, (name, text) => {
      const target = Buffer.alloc(4096)
      const encoded = target.subarray(0, writeBound(text, target, 0))
      expect(encoded.length).toBeLessThan(1000)
      expect(Math.sign(Buffer.compare(encode(name), encoded))).toBe(
        Math.sign(compareKeys(name, text)),
      )
    }),
    { numRuns: 1000 },
  )
})

test('writeBound() asks for more room where there is too little', () => {
  expect(() => writeBound('x'.repeat(700), new Uint8Array(500), 0)).toThrow(RangeError)
  expect(() => writeName('é'.repeat(300), new Uint8Array(500), 0)).toThrow(RangeError)
})
