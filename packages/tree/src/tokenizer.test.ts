import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { json, print } from '../test/arbitraries.ts'
import { TreeError } from './errors.ts'
import { JsonTokenizer } from './tokenizer.ts'
import type { JsonHandler, TextPlace } from './tokenizer.ts'

const encoder = new TextEncoder()
const choices = fc.array(fc.nat(59), { minLength: 1 })

/** Each event with its place, and the error at the end if there is one. */
function events(chunks: Iterable<Uint8Array | string>): string[] {
  const heard: string[] = []
  const hear = (what: string, { line, column }: TextPlace): void => {
    heard.push(`${line}:${column} ${what}`)
  }
  const handler: JsonHandler = {
    startObject: (at) => hear('{', at),
    endObject: (at) => hear('}', at),
    startArray: (at) => hear('[', at),
    endArray: (at) => hear(']', at),
    key: (name, at) => hear(`${JSON.stringify(name)}:`, at),
    string: (value, at) => hear(JSON.stringify(value), at),
    number: (literal, at) => hear(literal, at),
    word: (value, at) => hear(String(value), at),
  }
  const tokenizer = new JsonTokenizer(handler)
  try {
    for (const chunk of chunks) tokenizer.write(chunk)
    tokenizer.end()
  } catch (error) {
    if (!(error instanceof TreeError)) throw error
    hear(error.code, error as TextPlace)
  }
  return heard
}

function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let start = 0, index = 0; start < bytes.length; index++) {
    const end = start + (sizes[index % sizes.length] ?? 1)
    chunks.push(bytes.subarray(start, end))
    start = end
  }
  return chunks
}

const sizes = fc
  .array(fc.integer({ min: 0, max: 9 }), { minLength: 1 })
  .filter((list) => list.some((size) => size > 0))

/** What somebody might send: JSON, JSON with some bytes changed, anything. */
const input = fc.oneof(
  fc.tuple(json, choices).map(([value, choice]) => encoder.encode(print(value, choice))),
  fc
    .tuple(json, choices, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }))
    .map(([value, choice, changes]) => {
      const bytes = encoder.encode(print(value, choice))
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte
      return bytes
    }),
  fc.uint8Array({ maxLength: 20 }),
)

describe('JsonTokenizer', () => {
  test('any cut of the input gives the same events and the same error', () => {
    fc.assert(
      fc.property(input, sizes, (bytes, cuts) => {
        expect(events(cut(bytes, cuts))).toEqual(events([bytes]))
        expect(events(cut(bytes, [1]))).toEqual(events([bytes]))
      }),
    )
  })

  test('it accepts what JSON.parse() accepts, but for what is not text', () => {
    fc.assert(
      fc.property(input, (bytes) => {
        const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
        const last = events([text]).at(-1) ?? ''
        fc.pre(!last.includes('ERR_INVALID_STRING'))
        expect(last.includes('ERR_')).toBe(!isJson(text))
      }),
    )
  })

  test('it gives each token with its place', () => {
    expect(events(['{"a" : [1,\r\n  "é😀", true],\n\n"b":{} }'])).toEqual([
      '1:1 {',
      '1:2 "a":',
      '1:8 [',
      '1:9 1',
      '2:3 "é😀"',
      '2:10 true',
      '2:14 ]',
      '4:1 "b":',
      '4:5 {',
      '4:6 }',
      '4:8 }',
    ])
  })

  test('a chunk may be empty', () => {
    expect(events(['', '1', '', '2', ''])).toEqual(['1:1 12'])
    expect(events([])).toEqual(['1:1 ERR_JSON_SYNTAX'])
  })

  test('it reads every escape', () => {
    const source = String.raw`"\"\\\/\b\f\n\r\t\u0041\u00e9\uD83D\uDE00\ud83d\ude00"`
    expect(events(cut(encoder.encode(source), [1]))).toEqual([
      String.raw`1:1 "\"\\/\b\f\n\r\tAé😀😀"`,
    ])
  })

  test('it finds bytes that are no UTF-8 wherever they are cut', () => {
    const whole = encoder.encode('["é😀",\n"x')
    for (const bad of [
      [0xff],
      [0xc3, 0x28],
      [0xe2, 0x82, 0x22],
      [0xf0, 0x9f, 0x98, 0x20],
      [0xc0, 0xaf],
    ]) {
      const bytes = Uint8Array.from([...whole, ...bad, 0x22, 0x5d])
      for (const size of [1, 2, 3, 4, 100]) {
        expect(events(cut(bytes, [size])).at(-1)).toBe('2:3 ERR_INVALID_STRING')
      }
    }
  })

  test('it finds half of a surrogate pair wherever it is cut', () => {
    const bytes = encoder.encode(String.raw`["a", "xy\ud83dz"]`)
    for (const size of [1, 2, 3, 5, 100]) {
      expect(events(cut(bytes, [size])).at(-1)).toBe('1:10 ERR_INVALID_STRING')
    }
  })

  test('an error before bad bytes comes first', () => {
    expect(events([Uint8Array.from([0x5b, 0x5d, 0x5d, 0xff])]).at(-1)).toBe('1:3 ERR_JSON_SYNTAX')
  })

  test.each([
    ['"', 'a string'],
    ['1', 'a number'],
  ])('it stops what begins with %s and grows over the limit while it comes', (start, what) => {
    const tokenizer = new JsonTokenizer({
      ...Object.fromEntries(
        ['startObject', 'endObject', 'startArray', 'endArray'].map((name) => [
          name,
          () => undefined,
        ]),
      ),
      key: () => undefined,
      string: () => undefined,
      number: () => undefined,
      word: () => undefined,
    } as unknown as JsonHandler)
    tokenizer.write(start)
    const chunk = '1'.repeat(1024 * 1024)
    for (let count = 0; count < 9; count++) tokenizer.write(chunk)
    expect(() => tokenizer.write(chunk + chunk)).toThrow(
      expect.objectContaining({
        code: 'ERR_STRING_TOO_LARGE',
        message: expect.stringContaining(`${what} has more than`) as unknown,
      }),
    )
  })
})

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
