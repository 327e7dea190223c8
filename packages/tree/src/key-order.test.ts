import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { key } from '../test/arbitraries.ts'
import { naiveCompare, naiveInteger } from '../test/naive-tree.ts'
import { hostileKeys } from './conformance/reading.ts'
import { compareKeys, parseIntegerKey, shortKeyBound } from './key-order.ts'
import { keyFault } from './key.ts'
import { maxKeyBytes } from './limits.ts'

/** Bytes that sort as keys do: a tag below all text, the number, its length, its spelling. */
function encode(text: string): Buffer {
  const integer = naiveInteger(text)
  if (integer === undefined) return Buffer.from(text)
  const head = Buffer.alloc(7)
  head.writeUInt8(1, 0)
  head.writeUInt32BE(Number(integer + 2n ** 31n), 1)
  head.writeUInt16BE(text.length, 5)
  return Buffer.concat([head, Buffer.from(text)])
}

describe('compareKeys()', () => {
  test('it orders as the specification words it', () => {
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(Math.sign(naiveCompare(a, b)))
      }),
    )
  })

  test('it orders as bytes do that a store can sort', () => {
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(encode(a), encode(b)))
      }),
    )
  })

  test('it is a total order', () => {
    fc.assert(
      fc.property(key, key, key, (a, b, c) => {
        expect(Math.sign(compareKeys(a, b))).toBe(0 - Math.sign(compareKeys(b, a)))
        expect(compareKeys(a, b) === 0).toBe(a === b)
        const [first, , last] = [a, b, c].toSorted(compareKeys)
        expect(compareKeys(first as typeof a, last as typeof a)).toBeLessThanOrEqual(0)
      }),
    )
  })

  test('it puts integers first, shorter spellings before longer ones', () => {
    expect(hostileKeys.toReversed().toSorted(compareKeys)).toEqual(hostileKeys)
  })
})

describe('parseIntegerKey()', () => {
  test('it reads 32-bit integers in any spelling', () => {
    expect(['7', '-7', '0007', '00000000000000000001', '2147483647'].map(parseIntegerKey)).toEqual([
      7, -7, 7, 1, 2147483647,
    ])
    expect(parseIntegerKey('-0')).toBe(0)
    expect(parseIntegerKey('-2147483648')).toBe(-2147483648)
  })

  test('everything else is no integer', () => {
    const others = [
      '',
      '-',
      '+1',
      '1.0',
      '1e3',
      '0x1',
      ' 1',
      '1 ',
      '--1',
      '2147483648',
      '-2147483649',
    ]
    expect(others.map(parseIntegerKey)).toEqual(others.map(() => undefined))
    expect(parseIntegerKey('00000000000')).toBe(0)
    expect(parseIntegerKey('10000000000')).toBe(undefined)
  })

  test('it reads what is nearly an integer as the specification words it', () => {
    const nearly = fc
      .tuple(
        fc.constantFrom('', '-', '--', ' '),
        fc.nat({ max: 20 }).map((count) => '0'.repeat(count)),
        fc.stringMatching(/^\d{0,11}$/),
        fc.constantFrom('', '', 'x', '-', '.', ':', '/'),
      )
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(nearly, (text) => {
        const number = naiveInteger(text)
        expect(parseIntegerKey(text)).toBe(number === undefined ? undefined : Number(number))
      }),
    )
  })
})

describe('shortKeyBound()', () => {
  const zeros = fc
    .tuple(fc.constantFrom('', '-'), fc.integer({ min: 0, max: 2000 }))
    .map(([sign, count]) => sign + '0'.repeat(count))
  const end = fc.constantFrom(
    '',
    '0',
    '1',
    '2147483647',
    '2147483648',
    '-',
    'x',
    'é',
    '\ud83d',
    '😀',
  )
  const ofZeros = fc.tuple(zeros, end).map((parts) => parts.join(''))
  const ofText = fc.tuple(key, fc.nat({ max: 900 }), end).map(([a, count, b]) => {
    return a.repeat(count) + b
  })
  const bound = fc.oneof(ofZeros, ofText)

  test('it compares with keys as the text does', () => {
    const near = (text: string): string[] => [
      ...[0, 1, 757, 758, 759, maxKeyBytes].map((length) => text.slice(0, length)),
      ...[0, 1, maxKeyBytes - 1].map((length) => text.slice(-length - 1)),
    ]
    fc.assert(
      fc.property(bound, key, key, (text, one, other) => {
        const short = shortKeyBound(text)
        for (const each of [one, other, one + other, ...near(text)]) {
          if (keyFault(each) !== undefined) continue
          expect(Math.sign(compareKeys(each, short))).toBe(Math.sign(compareKeys(each, text)))
        }
      }),
    )
  })

  test('it is hardly longer than a key', () => {
    fc.assert(
      fc.property(bound, (text) => {
        expect(shortKeyBound(text).length).toBeLessThanOrEqual(maxKeyBytes + 1)
      }),
    )
  })
})
