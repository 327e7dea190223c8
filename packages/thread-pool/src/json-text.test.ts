import { expect, test } from 'vitest'
import { parseTagged, plainJson, taggedJson } from './json-text.ts'

function roundTrip(value: unknown): unknown {
  const json = taggedJson(value)
  if (json === undefined) return 'undecided'
  return json.isTagged ? parseTagged(json.text) : JSON.parse(json.text)
}

test('plainJson() is the JSON of plain values', () => {
  const value = { a: [1, 'two', null, { b: true }], 'quoted "key"': 'line\nbreak' }
  expect(plainJson(value)).toBe(JSON.stringify(value))
})

test('plainJson() gives up where JSON would lose something', () => {
  const lossy = [undefined, NaN, -0, 1n, new Date(), new Map(), [undefined], { a: undefined }]
  expect(lossy.map((value) => plainJson(value))).toEqual(lossy.map(() => undefined))
})

test('taggedJson() tags what JSON has not', () => {
  expect(taggedJson([undefined, -0, 2n])).toEqual({ text: '["~u","~z","~b2"]', isTagged: true })
  expect(taggedJson({ a: 1 })).toEqual({ text: '{"a":1}', isTagged: false })
})

test('taggedJson() gives up when all objects have a toJSON()', () => {
  // oxlint-disable-next-line no-extend-native -- what the test is about
  Object.defineProperty(Object.prototype, 'toJSON', { value: () => 1, configurable: true })
  const bare = Object.assign(Object.create(null) as object, { not: undefined })
  const results = [{ a: 1 }, [1], new Date(1), bare].map((value) => taggedJson(value))
  Reflect.deleteProperty(Object.prototype, 'toJSON')
  expect(results).toEqual(results.map(() => undefined))
})

test('taggedJson() does not call toJSON()', () => {
  expect(taggedJson({ toJSON: () => 1 })).toBeUndefined()
  expect(roundTrip({ toJSON: 1 })).toEqual({ toJSON: 1 })
  const hidden = { value: () => 1 }
  expect(taggedJson(Object.defineProperty({ a: 1 }, 'toJSON', hidden))).toBeUndefined()
  expect(taggedJson([Object.defineProperty([1], 'toJSON', hidden)])).toBeUndefined()
})

test('strings that look like tags stay strings', () => {
  const value = ['~', '~u', '~~', { '~u': '~d5' }, ['~M', 1, 2], ['~S']]
  expect(roundTrip(value)).toEqual(value)
})

test('taggedJson() gives up on what is too deep or too large', () => {
  let deep: unknown = 1
  for (let depth = 0; depth < 40; depth++) deep = [deep]
  expect(taggedJson(deep)).toBeUndefined()
  expect(taggedJson(Array.from({ length: 5000 }, () => 1))).toBeUndefined()
})

test('taggedJson() gives up on long text, of one string or of several; plainJson() does not', () => {
  const [long, longer] = ['x'.repeat(6 * 1024), 'x'.repeat(10 * 1024)]
  expect(roundTrip({ long })).toEqual({ long })
  expect(taggedJson({ longer })).toBeUndefined()
  expect(taggedJson([long, long])).toBeUndefined()
  expect(plainJson([longer, long])).toBe(JSON.stringify([longer, long]))
})

test('taggedJson() gives up on proxies and on objects met twice', () => {
  const shared = {}
  expect(taggedJson([shared, shared])).toBeUndefined()
  expect(taggedJson(new Proxy({}, {}))).toBeUndefined()
})

test('taggedJson() finds an object met twice among many', () => {
  const objects = Array.from({ length: 40 }, (_, index) => ({ index }))
  expect(roundTrip(objects)).toEqual(objects)
  expect(taggedJson([...objects, objects[0]])).toBeUndefined()
  expect(taggedJson([...objects, objects[39]])).toBeUndefined()
  expect(roundTrip(objects)).toEqual(objects)
})

test('taggedJson() within a getter gives up, and disturbs nothing', () => {
  const inner: unknown[] = []
  const value = {
    not: undefined,
    get more() {
      inner.push(taggedJson([1]))
      return 1
    },
  }
  expect(taggedJson(value)).toEqual({ text: '{"not":"~u","more":1}', isTagged: true })
  expect(inner[0]).toBeUndefined()
})

test('taggedJson() leaves out what all objects inherit', () => {
  // oxlint-disable-next-line no-extend-native -- what the test is about
  Object.defineProperty(Object.prototype, 'inherited', {
    value: undefined,
    configurable: true,
    enumerable: true,
  })
  const result = roundTrip({ a: 1, b: [2] })
  Reflect.deleteProperty(Object.prototype, 'inherited')
  expect(result).toEqual({ a: 1, b: [2] })
})

test('a tagged __proto__ is a property', () => {
  const result = roundTrip(JSON.parse('{"__proto__": "~d1", "a": 1}')) as object
  expect(Object.getPrototypeOf(result)).toBe(Object.prototype)
  expect(Object.keys(result)).toEqual(['__proto__', 'a'])
})
