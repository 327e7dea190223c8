import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { key } from '../test/arbitraries.ts'
import { naiveCompare, naiveInteger } from '../test/naive-tree.ts'
import { hostileKeys } from './conformance/reading.ts'
import { compareKeys, parseIntegerKey } from './key-order.ts'

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
})
