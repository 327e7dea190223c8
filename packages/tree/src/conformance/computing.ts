import { ServerValue } from '../node.ts'
import { parseJson } from '../parse.ts'
import { accepted, at, codeOf, commit, put, read, set } from './fixture.ts'
import type { Suite } from './fixture.ts'

export function describeServerValues({ describe, test, expect }: Suite): void {
  describe('server values', () => {
    test('timestamps become the time of the write, all the same', (store) => {
      const value = parseJson('{"a":{".sv":"timestamp"},"b":{"c":[{".sv":"timestamp"}]}}')
      const outcome = accepted(
        commit(store, {
          pairs: [
            { path: at('x'), value },
            { path: at('y'), value: new ServerValue() },
          ],
        }),
      )
      expect(Number.isInteger(outcome.time)).toBe(true)
      expect(read(store, 'x')).toBe(`{"a":${outcome.time},"b":{"c":[${outcome.time}]}}`)
      expect(read(store, 'y')).toBe(String(outcome.time))
      expect(outcome.values.map((written) => written?.text)).toEqual([
        read(store, 'x'),
        read(store, 'y'),
      ])
    })

    test('an increment adds to the number that is there', (store) => {
      put(store, '/', '{"n":5,"s":"text","b":{"c":1},"f":0.5}')
      put(store, '/n', '{".sv":{"increment":3}}')
      put(store, '/s', '{".sv":{"increment":3}}')
      put(store, '/b', '{".sv":{"increment":3}}')
      put(store, '/f', '{".sv":{"increment":-0.25}}')
      put(store, '/new/deep', '{".sv":{"increment":3}}')
      expect(read(store, '/')).toBe('{"b":3,"f":0.25,"n":8,"new":{"deep":3},"s":3}')
    })

    test('increments inside a value look at their own places', (store) => {
      put(store, 'a', '{"x":1,"y":{"z":10},"gone":1}')
      put(store, 'a', '{"x":{".sv":{"increment":1}},"y":{"z":{".sv":{"increment":1}}},"k":0}')
      expect(read(store, 'a')).toBe('{"k":0,"x":2,"y":{"z":11}}')
    })

    test('increments in one commit build on one another', (store) => {
      store.commit(Array.from({ length: 64 }, () => set('hits', new ServerValue(1))))
      expect(read(store, 'hits')).toBe('64')
    })

    test('an increment of nothing by zero writes zero', (store) => {
      expect(put(store, 'n', '{".sv":{"increment":-0}}').sequence).toBe(1)
      expect(read(store, 'n')).toBe('0')
      expect(put(store, 'n', '{".sv":{"increment":0}}').sequence).toBe(undefined)
    })

    test('a sum that is not finite is refused', (store) => {
      put(store, 'n', '1e308')
      expect(codeOf(commit(store, set('n', new ServerValue(1e308))))).toBe('ERR_INVALID_NUMBER')
      expect(read(store, 'n')).toBe('1e+308')
    })

    test('a priority may be computed', (store) => {
      put(store, 'a', '{".priority":2,"b":1}')
      put(store, 'a/.priority', '{".sv":{"increment":5}}')
      expect(read(store, 'a/.priority')).toBe('7')
      put(
        store,
        'a',
        '{".priority":{".sv":{"increment":1}},"b":{".value":{".sv":{"increment":1}},".priority":"p"}}',
      )
      expect(read(store, 'a', 'export')).toBe('{".priority":8,"b":{".value":2,".priority":"p"}}')
      const { time } = put(store, 'a/b/.priority', '{".sv":"timestamp"}')
      expect(read(store, 'a/b/.priority')).toBe(String(time))
    })

    test('what a function returns may hold server values', (store) => {
      put(store, 'n', '3')
      accepted(
        commit(
          store,
          set('n', () => new ServerValue(4)),
        ),
      )
      expect(read(store, 'n')).toBe('7')
    })
  })
}
