import { TreeValue, parseJson } from '@elkyn/tree'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonText } from '../test/arbitraries.ts'
import {
  Head,
  Kind,
  decodeEntry,
  encodeEntry,
  entryMaxBytes,
  readHeadNumber,
  writeHeadNumber,
} from './entry.ts'
import type { Entry } from './entry.ts'

/** Encodes into the middle of a buffer that is full of other bytes. */
function encode(entry: Entry): Buffer {
  const target = Buffer.alloc(entryMaxBytes(entry) + 20, 0x7b)
  const end = encodeEntry(entry, target, 7)
  expect(end - 7).toBeLessThanOrEqual(entryMaxBytes(entry))
  return target.subarray(7, end)
}

const numbers = [0, 1, 255, 256, 65_535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1]
const headNumber = fc.oneof(fc.constantFrom(...numbers), fc.integer({ min: 0, max: 2 ** 48 - 1 }))

test('a head number takes six bytes that sort as the numbers do', () => {
  fc.assert(
    fc.property(headNumber, headNumber, (a, b) => {
      const [left, right] = [a, b].map((number) => {
        const bytes = Buffer.alloc(8, 0xff)
        writeHeadNumber(number, bytes, 1)
        expect(readHeadNumber(bytes, 1)).toBe(number)
        return bytes
      })
      expect(Math.sign(Buffer.compare(left!, right!))).toBe(Math.sign(a - b))
    }),
  )
})

test('a value comes back from its entry as it was', () => {
  fc.assert(
    fc.property(jsonText, (json) => {
      const value = parseJson(json)
      fc.pre(!value.isNull && !value.hasServerValues)
      const bytes = encode(value)
      expect(bytes[0]).toBe(value.form === 'plain' ? Kind.plain : Kind.export)
      expect(bytes.toString('utf8', 1)).toBe(value.text)
      // The bytes behind it belong to another record.
      const decoded = decodeEntry(Buffer.concat([bytes, Buffer.from('"}]other')]), bytes.length)
      expect(decoded).toBeInstanceOf(TreeValue)
      expect((decoded as TreeValue).text).toBe(value.text)
      expect((decoded as TreeValue).form).toBe(value.form)
    }),
  )
})

test('a head comes back with its number and priority', () => {
  const priority = fc.oneof(
    fc.constant(null),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    fc.string(),
    fc.constantFrom('', 'é"\\\u0001', '\ud800', 'x'.repeat(5000)),
  )
  fc.assert(
    fc.property(headNumber, priority, (number, rank) => {
      const bytes = encode(new Head(number, rank))
      expect(bytes[0]).toBe(Kind.head)
      const decoded = decodeEntry(Buffer.concat([bytes, Buffer.from('99"')]), bytes.length)
      expect(decoded).toEqual(new Head(number, rank))
    }),
  )
})
