import { ServerValue } from '../node.ts'
import { parseJson } from '../parse.ts'
import { at, codeOf, commit, put, read, set, stage } from './fixture.ts'
import type { Suite } from './fixture.ts'

export function describePriorities({ describe, test, expect }: Suite): void {
  describe('priorities', () => {
    test('they are kept at every depth and shown in export form only', (store) => {
      const json =
        '{".priority":1,"a":{".priority":"p","b":{".value":5,".priority":-1.5},"c":[{".value":true,".priority":2}]}}'
      put(store, 'r', json)
      expect(read(store, 'r', 'export')).toBe(
        '{".priority":1,"a":{".priority":"p","b":{".value":5,".priority":-1.5},"c":{"0":{".value":true,".priority":2}}}}',
      )
      expect(read(store, 'r')).toBe('{"a":{"b":5,"c":[true]}}')
      expect(read(store, 'r/a/b')).toBe('5')
      expect(read(store, 'r/a/b', 'export')).toBe('{".value":5,".priority":-1.5}')
      expect(read(store, 'r/a', 'export')).toBe(
        '{".priority":"p","b":{".value":5,".priority":-1.5},"c":{"0":{".value":true,".priority":2}}}',
      )
    })

    test('the root may have one', (store) => {
      put(store, '/', '{".priority":1,"a":2}')
      put(store, '/b', '3')
      expect(read(store, '/', 'export')).toBe('{".priority":1,"a":2,"b":3}')
      expect(read(store, '/.priority')).toBe('1')
      put(store, '/.priority', 'null')
      expect(read(store, '/', 'export')).toBe('{"a":2,"b":3}')
      put(store, '/', '{".value":5,".priority":"x"}')
      expect(read(store, '/', 'export')).toBe('{".value":5,".priority":"x"}')
    })

    test('they have a path of their own', (store) => {
      put(store, 'a', '{"b":1}')
      put(store, 'a/.priority', '"high"')
      put(store, 'a/b/.priority', '0')
      expect(read(store, 'a', 'export')).toBe('{".priority":"high","b":{".value":1,".priority":0}}')
      expect(read(store, 'a/.priority')).toBe('"high"')
      expect(read(store, 'a/b/.priority')).toBe('0')
      expect(read(store, 'x/.priority')).toBe(undefined)
      put(store, 'a/b/.priority', 'null')
      expect(read(store, 'a/b/.priority')).toBe(undefined)
      expect(read(store, 'a/b')).toBe('1')
    })

    test('the path of a priority reads as a leaf', (store) => {
      put(store, 'a', '{".value":true,".priority":3}')
      using snapshot = store.snapshot()
      expect(snapshot.kind(at('a/.priority'))).toBe('leaf')
      expect(snapshot.kind(at('b/.priority'))).toBe('none')
      expect(snapshot.get(at('a/.priority')).node).toBe(3)
      expect([...snapshot.keys(at('a/.priority'))]).toEqual([])
      expect(snapshot.etag(at('b/.priority'))).toBe('null_etag')
      expect(snapshot.etag(at('a/.priority')) === 'null_etag').toBe(false)
    })

    test('keys() does not list them', (store) => {
      put(store, 'a', '{".priority":1,"b":2}')
      using snapshot = store.snapshot()
      expect([...snapshot.keys(at('a'))]).toEqual(['b'])
    })

    test('a write of the value clears them', (store) => {
      put(store, 'a', '{".value":5,".priority":1}')
      put(store, 'a', '5')
      expect(read(store, 'a', 'export')).toBe('5')
      put(store, 'a', '{".priority":1,"b":2}')
      put(store, 'a', '{"b":2}')
      expect(read(store, 'a', 'export')).toBe('{"b":2}')
    })

    test('a write below keeps them', (store) => {
      put(store, 'a', '{".priority":1,"b":{".priority":2,"c":1}}')
      put(store, 'a/b/d', '2')
      put(store, 'a/b/c', 'null')
      expect(read(store, 'a', 'export')).toBe('{".priority":1,"b":{".priority":2,"d":2}}')
    })

    test('that of a leaf stays on the branch that replaces it', (store) => {
      put(store, 'a', '{".value":5,".priority":1}')
      put(store, 'a/b/c', '6')
      expect(read(store, 'a', 'export')).toBe('{".priority":1,"b":{"c":6}}')
    })

    test('they go with the node', (store) => {
      put(store, 'a', '{".priority":1,"b":2}')
      put(store, 'a/b', 'null')
      put(store, 'a/b', '3')
      expect(read(store, 'a', 'export')).toBe('{"b":3}')
    })

    test('nothing has none', (store) => {
      expect(put(store, 'a/.priority', '1').sequence).toBe(undefined)
      expect(put(store, 'a', '{".priority":1}').sequence).toBe(undefined)
      expect(put(store, 'a', '{".value":null,".priority":1}').sequence).toBe(undefined)
      expect(read(store, '/')).toBe(undefined)
    })

    test('they may be given together with children of the same node', (store) => {
      const pairs = [
        { path: at('a/b'), value: 1 },
        { path: at('a/.priority'), value: 'p' },
      ]
      expect(commit(store, { pairs }).ok).toBe(true)
      expect(read(store, 'a', 'export')).toBe('{".priority":"p","b":1}')
    })

    test('only numbers and strings are priorities', (store) => {
      put(store, 'a', '1')
      const isRefused = (value: boolean): unknown =>
        codeOf(commit(store, set('a/.priority', value)))
      expect(isRefused(true)).toBe('ERR_INVALID_PRIORITY')
      expect(isRefused(false)).toBe('ERR_INVALID_PRIORITY')
      expect(commit(store, set('a/.priority', new ServerValue(2))).ok).toBe(true)
      expect(read(store, 'a', 'export')).toBe('{".value":1,".priority":2}')
    })

    test('nothing staged is one', (store) => {
      put(store, 'a', '{"b":1,".priority":"p"}')
      const list = Array.from({ length: 20_000 }, (_, index) => `item number ${index} of the list`)
      const [large] = stage(store, JSON.stringify(list))
      const [small] = stage(store, '[1]')
      for (const path of ['a/.priority', 'a/b/.priority', 'none/.priority']) {
        for (const staged of [large, small]) {
          const outcome = commit(store, set(path, staged?.value ?? null))
          expect(codeOf(outcome)).toBe('ERR_INVALID_PRIORITY')
        }
        const computed = commit(
          store,
          set(path, () => parseJson('{"x":1}')),
        )
        expect(codeOf(computed)).toBe('ERR_INVALID_PRIORITY')
        const ranked = commit(store, set(path, parseJson('{".value":1,".priority":1}')))
        expect(codeOf(ranked)).toBe('ERR_INVALID_PRIORITY')
      }
      expect(read(store, '/', 'export')).toBe('{"a":{".priority":"p","b":1}}')
    })

    test('a large branch keeps them as well', (store) => {
      const members = Array.from({ length: 2000 }, (_, index) => [
        `key ${index}`,
        { '.value': 'x'.repeat(20), '.priority': index },
      ])
      put(store, 'a', JSON.stringify({ '.priority': 'all', ...Object.fromEntries(members) }))
      expect(read(store, 'a/.priority')).toBe('"all"')
      expect(read(store, 'a/key 77/.priority')).toBe('77')
      put(store, 'a/.priority', '9')
      expect(read(store, 'a', 'export')?.startsWith('{".priority":9,"key 0":{".value":')).toBe(true)
      expect(read(store, 'a')?.includes('priority')).toBe(false)
      put(store, 'a/key 5', 'null')
      expect(read(store, 'a/.priority')).toBe('9')
    })
  })
}
