import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TreeError } from './errors.ts'
import { fromJson, updateOf } from './from-json.ts'
import { ServerValue, nodeAt } from './node.ts'
import { parseJson, parseUpdate } from './parse.ts'

describe('fromJson()', () => {
  test('it makes of a value what parseJson() makes of its text', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value)
        // Generated names may be no keys; then both refuse.
        expect(outcome(() => fromJson(value).text)).toBe(outcome(() => parseJson(text).text))
      }),
    )
  })

  test('it takes what JSON.stringify takes', () => {
    expect(fromJson({ at: new Date(0), skipped: undefined }).text).toBe(
      '{"at":"1970-01-01T00:00:00.000Z"}',
    )
    expect(fromJson(Object.create(null, { a: { value: 1, enumerable: true } })).text).toBe(
      '{"a":1}',
    )
    expect(fromJson(null).isNull).toBe(true)
  })

  test('it asks for toJSON() wherever JSON.stringify does', () => {
    const toJSON = { value: () => 'x', enumerable: false }
    for (const value of [[1], [null, 1], { a: 1 }, { b: null, a: 1 }, { 1: 1 }]) {
      const written = Object.defineProperty(value, 'toJSON', toJSON)
      expect(fromJson(written).text).toBe('"x"')
      expect(fromJson({ a: [written] }).text).toBe('{"a":["x"]}')
    }
    expect(fromJson({ a: 1, toJSON: 'a name like others' }).text).toBe(
      '{"a":1,"toJSON":"a name like others"}',
    )
  })

  test('it refuses numbers that are not finite', () => {
    for (const number of [Number.NaN, Infinity, -Infinity]) {
      expect(() => fromJson({ a: [number] })).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_NUMBER' }),
      )
    }
  })

  test('it refuses what is no JSON as a mistake of the caller', () => {
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    for (const value of [undefined, () => 1, Symbol('s'), 1n, cycle]) {
      expect(() => fromJson(value)).toThrow(TypeError)
    }
    for (const value of [() => 1, Symbol('s'), 1n, cycle]) {
      expect(() => fromJson({ a: 1, b: [value] })).toThrow(TypeError)
      expect(() => fromJson({ a: 1, b: { c: value } })).toThrow(TypeError)
    }
  })

  test('it refuses objects that say nothing of how they are written', () => {
    class Point {
      readonly x = 1
    }
    const thenable: unknown = runInNewContext('({ then() {} })')
    const values = [Promise.resolve(1), thenable, new Map([['a', 1]]), new Set([1]), new Point()]
    for (const value of [...values, new Uint8Array(2), /x/, new WeakMap()]) {
      expect(() => fromJson(value)).toThrow(TypeError)
      expect(() => fromJson({ a: [value] })).toThrow('the object at "0"')
    }
    expect(fromJson(JSON.parse('{"then":"text"}')).text).toBe('{"then":"text"}')
  })

  test('it takes plain objects of another realm', () => {
    const value: unknown = runInNewContext('({ a: [1, { b: 2 }], c: {} })')
    expect(fromJson(value).text).toBe('{"a":[1,{"b":2}]}')
    expect(() => fromJson(runInNewContext('new Map()'))).toThrow(TypeError)
  })

  test('it reads reserved names', () => {
    const { node } = fromJson({ a: { '.sv': 'timestamp' }, b: { '.sv': { increment: -2 } } })
    expect(nodeAt(node, ['a'])).toEqual(new ServerValue())
    expect(nodeAt(node, ['b'])).toEqual(new ServerValue(-2))
  })

  test('it limits the depth, whatever is nested', () => {
    const nest = (levels: number, inner: unknown, wrap: (value: unknown) => unknown): unknown => {
      let value = inner
      for (let level = 0; level < levels; level++) value = wrap(value)
      return value
    }
    const array = (value: unknown): unknown => [value]
    const object = (value: unknown): unknown => ({ a: value })
    const tooDeep = expect.objectContaining({ code: 'ERR_TOO_DEEP' })
    for (const wrap of [array, object]) {
      expect(fromJson(nest(32, 1, wrap)).isNull).toBe(false)
      expect(fromJson(nest(30, 1, wrap), { depth: 2 }).isNull).toBe(false)
      for (const levels of [33, 40, 100_000]) {
        expect(() => fromJson(nest(levels, 1, wrap))).toThrow(tooDeep)
        expect(() => fromJson(nest(levels - 3, 1, wrap), { depth: 3 })).toThrow(tooDeep)
      }
    }
    const increment = { '.sv': { increment: 1 } }
    const ranked = { '.value': increment, '.priority': increment }
    expect(fromJson(nest(32, ranked, object)).hasServerValues).toBe(true)
    const endless = { toJSON: () => [endless] }
    expect(() => fromJson(endless)).toThrow(tooDeep)
  })

  test('it counts the depth of what is there several times by its place', () => {
    const part = { a: { b: new Date(0) } }
    const list = [part, [part, part], part]
    expect(fromJson(list).text).toBe(JSON.stringify(list))
    expect(fromJson(list, { depth: 28 }).text).toBe(JSON.stringify(list))
    expect(outcome(() => fromJson(list, { depth: 29 }).text)).toBe('ERR_TOO_DEEP')
  })
})

describe('updateOf()', () => {
  function updated(members: Readonly<Record<string, unknown>>, depth = 0): unknown {
    try {
      return updateOf(members, { depth }).map(({ path, value }) => `${path}=${value.text}`)
    } catch (error) {
      return (error as TreeError).code
    }
  }

  test('it makes of an object what parseUpdate() makes of its text', () => {
    const name = fc.constantFrom('a', 'b', 'a/b', '/c/', 'c/.priority', 'd/e', 'b/c', 'd/.priority')
    const value = fc.constantFrom(null, 1, 'x', {}, [], [1], { x: { '.sv': 'timestamp' } }, true)
    fc.assert(
      fc.property(fc.dictionary(name, value, { maxKeys: 4 }), (members) => {
        const show = (): string => {
          const update = parseUpdate(JSON.stringify(members)) ?? []
          return update.map(({ path, value: { text } }) => `${path}=${text}`).join(' ')
        }
        const own = (): string => {
          return updateOf(members)
            .map(({ path, value: { text } }) => `${path}=${text}`)
            .join(' ')
        }
        expect(outcome(own)).toBe(outcome(show))
      }),
    )
  })

  test('what deletes comes later, and priorities last', () => {
    expect(updated({ '.priority': 1, a: null, 'b/.priority': null, c: {}, '/d/': [1] })).toEqual([
      '/d=[1]',
      '/a=null',
      '/c=null',
      '/.priority=1',
      '/b/.priority=null',
    ])
    expect(updated({})).toEqual([])
  })

  test('it refuses names that are no paths', () => {
    expect(updated({ '': 1 })).toBe('ERR_INVALID_PATH')
    expect(updated({ '//': 1 })).toBe('ERR_INVALID_PATH')
    expect(updated({ 'a.b': 1 })).toBe('ERR_INVALID_PATH')
    expect(updated({ ['a/'.repeat(33)]: 1 })).toBe('ERR_PATH_TOO_LONG')
    expect(updated({ a: 1, 'a/b': 2 })).toBe('ERR_PATH_CONFLICT')
    expect(updated({ a: 1, '/a': 2 })).toBe('ERR_PATH_CONFLICT')
  })

  test('the limit on depth counts the place of the update', () => {
    expect(updated({ 'a/b': 1 }, 31)).toBe('ERR_TOO_DEEP')
    expect(updated({ a: { b: 1 } }, 31)).toBe('ERR_TOO_DEEP')
    expect(updated({ a: 1, 'b/.priority': 1 }, 31)).toEqual(['/a=1', '/b/.priority=1'])
  })

  test('a priority is a number, a string or null', () => {
    for (const value of [true, [1], { a: 1 }, { '.value': 1, '.priority': 1 }]) {
      expect(updated({ 'a/.priority': value })).toBe('ERR_INVALID_PRIORITY')
    }
    expect(updated({ 'a/.priority': { '.sv': 'timestamp' } })).toEqual([
      '/a/.priority={".sv":"timestamp"}',
    ])
  })

  test('what is no plain object, or no JSON, is a mistake of the caller', () => {
    for (const members of [null, [1], new Map([['a', 1]]), Promise.resolve({ a: 1 })]) {
      expect(() => updateOf(members as never)).toThrow(TypeError)
    }
    expect(() => updateOf({ a: undefined })).toThrow(TypeError)
    expect(() => updateOf({ a: Promise.resolve(1) })).toThrow(TypeError)
  })
})

function outcome(body: () => string): string {
  try {
    return body()
  } catch (error) {
    return (error as TreeError).code
  }
}
