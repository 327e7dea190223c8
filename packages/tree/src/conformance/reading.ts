import { etagOf } from '../etag.ts'
import { fromJson } from '../from-json.ts'
import { parseJson } from '../parse.ts'
import { rootPath } from '../path.ts'
import { at, etag, put, read, textOf, thrown } from './fixture.ts'
import type { Suite } from './fixture.ts'

/** Keys in key order that stores have got wrong. */
export const hostileKeys: readonly string[] = [
  '-2147483648',
  '-10',
  '-1',
  '0',
  '-0',
  '00',
  '1',
  '01',
  '2',
  '10',
  '2147483647',
  ' ',
  '!',
  '"',
  '-',
  '-2147483649',
  '00000000000x',
  '10e3',
  '2147483648',
  '3000000000',
  'A',
  '\\',
  '__proto__',
  'a',
  'a b',
  'constructor',
  'hasOwnProperty',
  'length',
  'toString',
  '\u0080',
  'é',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '😀',
]

export function describeReading({ describe, test, expect }: Suite): void {
  describe('reading', () => {
    test('a new store is empty', (store) => {
      using snapshot = store.snapshot()
      expect(snapshot.sequence).toBe(0)
      expect(snapshot.kind(rootPath)).toBe('none')
      expect(snapshot.json(rootPath)).toBe(undefined)
      expect(snapshot.jsonBlocks(rootPath)).toBe(undefined)
      expect(snapshot.get(rootPath).node).toBe(null)
      expect([...snapshot.keys(rootPath)]).toEqual([])
      expect(snapshot.etag(rootPath)).toBe('null_etag')
    })

    test('json() gives each part of what was written', (store) => {
      put(store, '/', '{"users":{"ada":{"age":36,"admin":true,"name":"Ada \\"A\\" é"}}}')
      expect(read(store, '/users/ada')).toBe('{"admin":true,"age":36,"name":"Ada \\"A\\" é"}')
      expect(read(store, '/users/ada/age')).toBe('36')
      expect(read(store, '/users/ada/admin')).toBe('true')
      expect(read(store, '/users/ada/name')).toBe('"Ada \\"A\\" é"')
      expect(read(store, '/users/bob')).toBe(undefined)
      expect(read(store, '/users/ad')).toBe(undefined)
      expect(read(store, '/users/ada/age/0')).toBe(undefined)
      expect(read(store, '/users/ada/name/length')).toBe(undefined)
    })

    test('json() gives bytes that are the caller’s', (store) => {
      put(store, 'long', JSON.stringify('x'.repeat(1000)))
      put(store, 'short', '"y"')
      using snapshot = store.snapshot()
      const long = snapshot.json(at('long'))
      const short = snapshot.json(at('short'))
      expect(textOf(short)).toBe('"y"')
      expect(short?.byteLength).toBe(3)
      short?.fill(0)
      long?.fill(0)
      expect(textOf(snapshot.json(at('short')))).toBe('"y"')
      expect(textOf(snapshot.json(at('long')))).toBe(JSON.stringify('x'.repeat(1000)))
    })

    test('kind() tells leaf, branch and nothing apart', (store) => {
      put(store, '/', '{"a":{"b":false}}')
      using snapshot = store.snapshot()
      expect(snapshot.kind(rootPath)).toBe('branch')
      expect(snapshot.kind(at('a'))).toBe('branch')
      expect(snapshot.kind(at('a/b'))).toBe('leaf')
      expect(snapshot.kind(at('a/c'))).toBe('none')
      expect(snapshot.kind(at('a/b/c'))).toBe('none')
    })

    test('get() gives the node and its text', (store) => {
      put(store, '/', '{"a":{"b":["x",{"c":1}]}}')
      using snapshot = store.snapshot()
      const value = snapshot.get(at('a/b'))
      expect(value.text).toBe('["x",{"c":1}]')
      expect(value.toText('export')).toBe('{"0":"x","1":{"c":1}}')
      expect(value.node).toEqual(parseJson('["x",{"c":1}]').node)
      expect(snapshot.get(at('a/c')).isNull).toBe(true)
    })

    test('keys() lists the children in key order', (store) => {
      put(store, 'list', JSON.stringify(Object.fromEntries(hostileKeys.map((key) => [key, key]))))
      using snapshot = store.snapshot()
      expect([...snapshot.keys(at('list'))]).toEqual(hostileKeys)
      expect([...snapshot.keys(at('list/a'))]).toEqual([])
      expect([...snapshot.keys(at('none'))]).toEqual([])
    })

    test('keys() keeps to its range', (store) => {
      put(store, '/', '{"1":1,"9":1,"10":1,"a":1,"b":1,"c":1}')
      using snapshot = store.snapshot()
      const keys = (range: object): string[] => [...snapshot.keys(rootPath, range)]
      expect(keys({ after: '9' })).toEqual(['10', 'a', 'b', 'c'])
      expect(keys({ after: '2' })).toEqual(['9', '10', 'a', 'b', 'c'])
      expect(keys({ before: 'b' })).toEqual(['1', '9', '10', 'a'])
      expect(keys({ after: '1', before: 'b', limit: 2 })).toEqual(['9', '10'])
      expect(keys({ limit: 0 })).toEqual([])
      expect(keys({ limit: 0, reverse: true })).toEqual([])
      expect(keys({ limit: Infinity })).toEqual(keys({}))
      expect(keys({ reverse: true })).toEqual(['c', 'b', 'a', '10', '9', '1'])
      expect(keys({ reverse: true, limit: 2, before: 'b' })).toEqual(['a', '10'])
      expect(keys({ reverse: true, after: '10', before: 'c' })).toEqual(['b', 'a'])
      expect(keys({ after: 'c' })).toEqual([])
    })

    test('keys() refuses a limit that is not a number of keys', async (store) => {
      put(store, '/', `{"a":1,"list":{"x":1,"y":2},"large":{${largeMembers()}}}`)
      using snapshot = store.snapshot()
      for (const path of ['/', 'a', 'list', 'large', 'none']) {
        for (const limit of [-1, 1.5, Number.NaN, -Infinity]) {
          expect(await thrown(() => [...snapshot.keys(at(path), { limit })])).toBe('RangeError')
        }
        expect([...snapshot.keys(at(path), { limit: 0 })]).toEqual([])
      }
    })

    test('arrays appear where the keys make them, at every depth', (store) => {
      put(store, '/', '{"a":{"0":1,"1":2},"b":[1,null,3],"c":[null,null,1],"d":[[1],{"01":1}]}')
      expect(read(store, '/')).toBe('{"a":[1,2],"b":[1,null,3],"c":{"2":1},"d":[[1],{"01":1}]}')
      expect(read(store, '/', 'export')).toBe(
        '{"a":{"0":1,"1":2},"b":{"0":1,"2":3},"c":{"2":1},"d":{"0":{"0":1},"1":{"01":1}}}',
      )
      expect(read(store, '/b')).toBe('[1,null,3]')
      expect(read(store, '/b/1')).toBe(undefined)
      expect(read(store, '/b/2')).toBe('3')
      expect(read(store, '/b/02')).toBe(undefined)
    })

    test('an array becomes an object and an object an array as children come and go', (store) => {
      put(store, 'l', '[1,2,3,4]')
      put(store, 'l/-0', '5')
      expect(read(store, 'l')).toBe('{"0":1,"-0":5,"1":2,"2":3,"3":4}')
      put(store, 'l/-0', 'null')
      expect(read(store, 'l')).toBe('[1,2,3,4]')
      put(store, 'l/0', 'null')
      put(store, 'l/1', 'null')
      expect(read(store, 'l')).toBe('[null,null,3,4]')
      put(store, 'l/2', 'null')
      expect(read(store, 'l')).toBe('{"3":4}')
    })

    test('each hostile key is a key like others', (store) => {
      for (const key of hostileKeys) put(store, `k/${key}/${key}`, JSON.stringify(key))
      for (const key of hostileKeys) {
        expect(read(store, `k/${key}/${key}`)).toBe(JSON.stringify(key))
        expect(read(store, `k/${key}/x`)).toBe(undefined)
      }
      put(store, 'k/__proto__', 'null')
      expect(read(store, 'k/__proto__')).toBe(undefined)
      expect(read(store, 'k/constructor/constructor')).toBe('"constructor"')
    })

    test('a path may have 32 keys of 768 bytes', (store) => {
      const keys = Array.from({ length: 32 }, (_, level) => String(level % 10).repeat(768))
      put(store, keys.join('/'), '1')
      expect(read(store, keys.join('/'))).toBe('1')
      expect(read(store, keys.slice(0, -1).join('/'))).toBe(`{"${keys[31]}":1}`)
      using snapshot = store.snapshot()
      expect([...snapshot.keys(rootPath)]).toEqual([keys[0]])
      put(store, keys.join('/'), 'null')
      expect(read(store, '/')).toBe(undefined)
    })

    test('numbers come back as ECMAScript writes them', (store) => {
      put(store, 'n', '[-0,1.0,1E2,0.1,1e21,1e-7,9007199254740991,-1.5e300,100000000000000000000]')
      expect(read(store, 'n')).toBe(
        '[0,1,100,0.1,1e+21,1e-7,9007199254740991,-1.5e+300,100000000000000000000]',
      )
    })

    test('a long string is a leaf like others', (store) => {
      const long = `"${'é😀\\n'.repeat(40_000)}"`
      put(store, 'a', `{"b":${long},"c":1}`)
      expect(read(store, 'a/b')).toBe(long)
      expect(read(store, 'a')).toBe(`{"b":${long},"c":1}`)
      put(store, 'a/b', '2')
      expect(read(store, 'a')).toBe('{"b":2,"c":1}')
    })

    test('jsonBlocks() gives the bytes of json()', (store) => {
      const item = { name: 'x'.repeat(100), tags: ['a', 'b'] }
      put(store, 'list', JSON.stringify(Array.from({ length: 3000 }, () => item)))
      put(store, 'list/7/.priority', '1')
      using snapshot = store.snapshot()
      for (const form of ['plain', 'export'] as const) {
        const blocks = [...(snapshot.jsonBlocks(rootPath, form) ?? [])]
        const text = blocks.map((block) => new TextDecoder().decode(block)).join('')
        expect(text).toBe(textOf(snapshot.json(rootPath, form)))
        expect(blocks.length > 2).toBe(true)
        expect(blocks.every((block) => block.length > 0 && block.length <= 256 * 1024)).toBe(true)
      }
    })

    test('jsonBlocks() gives a small value as one block', (store) => {
      put(store, 'a', '{"b":1}')
      using snapshot = store.snapshot()
      expect([...(snapshot.jsonBlocks(at('a')) ?? [])].map(textOf)).toEqual(['{"b":1}'])
      expect([...(snapshot.jsonBlocks(at('a/b')) ?? [])].map(textOf)).toEqual(['1'])
      expect(snapshot.jsonBlocks(at('b'))).toBe(undefined)
    })

    test('etag() is equal for equal data, whatever its history', (store) => {
      put(store, 'a', '{"x":{"y":1},"z":[1,2]}')
      put(store, 'b/z/1', '2')
      put(store, 'b/x/y', '5')
      put(store, 'b/z/0', '1')
      put(store, 'b/x', '{"y":1}')
      expect(etag(store, 'b')).toBe(etag(store, 'a'))
      expect(etag(store, 'a')).toBe(etagOf(fromJson({ x: { y: 1 }, z: [1, 2] })))
      expect(etag(store, 'a').length).toBe(28)
      expect(etag(store, 'a/x') === etag(store, 'a')).toBe(false)
      put(store, 'b/x/.priority', '1')
      expect(etag(store, 'b') === etag(store, 'a')).toBe(false)
    })
  })
}

/** More than one row can hold. */
function largeMembers(): string {
  return Array.from({ length: 2000 }, (_, index) => `"key ${index}":"${'x'.repeat(20)}"`).join()
}
