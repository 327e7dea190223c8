import { Branch, ServerValue } from '../node.ts'
import type { TreeNode } from '../node.ts'
import { parseJson } from '../parse.ts'
import { rootPath } from '../path.ts'
import { TreeValue } from '../tree-value.ts'
import { accepted, at, codeOf, commit, put, read, refused, set, textOf } from './fixture.ts'
import type { Suite } from './fixture.ts'

export function describeWriting({ describe, test, expect }: Suite): void {
  describe('writing', () => {
    test('what is no node is refused, and harms nothing', async (store) => {
      put(store, 'kept', '1')
      const branch = new Branch(new Map([['x', Number.NaN]]))
      const wrong = [{}, Object.create(null), Number.NaN, branch, new ServerValue(Infinity)]
      for (const value of [...wrong, TreeValue.fromNode(branch)] as TreeNode[]) {
        const write = set('wrong', value)
        for (const outcome of [store.commit([write])[0], await store.write(write)]) {
          expect(outcome?.ok === false && outcome.error instanceof TypeError).toBe(true)
        }
      }
      expect(read(store, '/')).toBe('{"kept":1}')
    })

    test('a write replaces all that was there', (store) => {
      put(store, 'a', '{"b":1,"c":{"d":2}}')
      put(store, 'a', '{"c":{"e":3}}')
      expect(read(store, '/')).toBe('{"a":{"c":{"e":3}}}')
      put(store, 'a', '"leaf"')
      expect(read(store, '/')).toBe('{"a":"leaf"}')
      put(store, '/', '5')
      expect(read(store, '/')).toBe('5')
    })

    test('null deletes, and with the last child its parents', (store) => {
      put(store, '/', '{"a":{"b":{"c":1}},"x":2}')
      put(store, 'a/b/c', 'null')
      expect(read(store, '/')).toBe('{"x":2}')
      put(store, 'x', '{}')
      expect(read(store, '/')).toBe(undefined)
      put(store, '/', 'null')
      expect(read(store, '/')).toBe(undefined)
    })

    test('nothing empty is stored', (store) => {
      put(store, '/', '{"a":{"b":null,"c":{},"d":[[],{"e":[null]}]},"f":1}')
      expect(read(store, '/')).toBe('{"f":1}')
    })

    test('a write below a leaf replaces the leaf', (store) => {
      put(store, 'a', '5')
      put(store, 'a/b/c', '1')
      expect(read(store, 'a')).toBe('{"b":{"c":1}}')
    })

    test('a deletion below a leaf changes nothing', (store) => {
      put(store, 'a', '5')
      expect(put(store, 'a/b/c', 'null').sequence).toBe(undefined)
      expect(read(store, 'a')).toBe('5')
    })

    test('children written one by one come to the same as written at once', (store) => {
      const letters = 'qwertyuiopasdfghjklzxcvbnm'.split('')
      for (const letter of letters) put(store, `one/${letter}`, `{"v":"${letter}"}`)
      const all = Object.fromEntries(letters.map((letter) => [letter, { v: letter }]))
      put(store, 'all', JSON.stringify(all))
      expect(read(store, 'one')).toBe(read(store, 'all'))
    })

    test('a list of thousands can be changed anywhere', (store) => {
      put(store, 'l', JSON.stringify(Array.from({ length: 5000 }, (_, index) => ({ n: index }))))
      put(store, 'l/2500/n', '"changed"')
      put(store, 'l/5000', '{"n":"added"}')
      expect(read(store, 'l/2500')).toBe('{"n":"changed"}')
      expect(JSON.parse(read(store, 'l') ?? '')).toEqual(
        Array.from({ length: 5001 }, (_, index) => ({
          n: index === 2500 ? 'changed' : index === 5000 ? 'added' : index,
        })),
      )
      put(store, 'l', '"gone"')
      expect(read(store, 'l/2500')).toBe(undefined)
      put(store, 'l/1', 'true')
      expect(read(store, 'l')).toBe('[null,true]')
    })

    test('pairs are written together', (store) => {
      put(store, 'a', '{"x":1,"y":2}')
      const outcome = commit(store, {
        pairs: [
          { path: at('a/x'), value: null },
          { path: at('a/z/q'), value: 'new' },
          { path: at('b'), value: parseJson('[true]') },
        ],
      })
      expect(accepted(outcome).values.map((value) => value?.text)).toEqual([
        'null',
        '"new"',
        '[true]',
      ])
      expect(read(store, '/')).toBe('{"a":{"y":2,"z":{"q":"new"}},"b":[true]}')
    })

    test('pairs are applied in order', (store) => {
      put(store, 'a', '{".priority":1,"x":1}')
      const value = (path: string, json: string) => ({ path: at(path), value: parseJson(json) })
      accepted(commit(store, { pairs: [value('a/y', '1'), value('a/x', 'null')] }))
      expect(read(store, 'a', 'export')).toBe('{".priority":1,"y":1}')
      // The branch goes in between, and its priority with it.
      accepted(commit(store, { pairs: [value('a/y', 'null'), value('a/z', '1')] }))
      expect(read(store, 'a', 'export')).toBe('{"z":1}')
    })

    test('a write without pairs changes nothing', (store) => {
      expect(accepted(commit(store, { pairs: [] })).sequence).toBe(undefined)
    })

    test('paths that conflict are refused', (store) => {
      const both = (first: string, second: string): unknown =>
        codeOf(
          commit(store, {
            pairs: [
              { path: at(first), value: 1 },
              { path: at(second), value: 2 },
            ],
          }),
        )
      expect(both('a', 'a/b')).toBe('ERR_PATH_CONFLICT')
      expect(both('a/b/c', 'a')).toBe('ERR_PATH_CONFLICT')
      expect(both('a', 'a')).toBe('ERR_PATH_CONFLICT')
      expect(both('/', 'a')).toBe('ERR_PATH_CONFLICT')
      expect(both('a', 'a/.priority')).toBe('ERR_PATH_CONFLICT')
      expect(read(store, '/')).toBe(undefined)
      expect(both('a', 'ab')).toBe(undefined)
      expect(both('c/.priority', 'c/d')).toBe(undefined)
    })

    test('each write of a commit succeeds or fails by itself', (store) => {
      const outcomes = store.commit([
        set('a', 1),
        set('b', () => undefined),
        {
          pairs: [
            { path: at('a'), value: 2 },
            {
              path: at('c'),
              value: () => {
                throw new RangeError('no')
              },
            },
          ],
        },
        set('d', 4),
      ])
      expect(outcomes.map(({ ok }) => ok)).toEqual([true, false, false, true])
      expect(codeOf(outcomes[1])).toBe('ERR_REFUSED')
      expect(refused(outcomes[2]).error instanceof RangeError).toBe(true)
      expect(read(store, '/')).toBe('{"a":1,"d":4}')
    })

    test('each write of a commit sees those before it', (store) => {
      store.commit([
        set('n', 1),
        set('n', (current) => Number(current.node) + 10),
        set('n', (current) => Number(current.node) * 2),
      ])
      expect(read(store, 'n')).toBe('22')
    })

    test('a function gets the current value once and gives the new one', (store) => {
      const seen: string[] = []
      const keep = (json: string) =>
        set('a', (current) => {
          seen.push(current.text)
          return parseJson(json)
        })
      expect(accepted(commit(store, keep('{"b":[1,2]}'))).values[0]?.text).toBe('{"b":[1,2]}')
      accepted(commit(store, keep('null')))
      accepted(commit(store, keep('7')))
      expect(seen).toEqual(['null', '{"b":[1,2]}', 'null'])
      expect(read(store, '/')).toBe('{"a":7}')
    })

    test('functions of one write see the tree as it was before it', (store) => {
      put(store, '/', '{"a":1,"b":2}')
      const swap = {
        pairs: [
          { path: at('a'), value: () => 2 },
          { path: at('b'), value: (current: { node: unknown }) => Number(current.node) - 1 },
        ],
      }
      accepted(commit(store, swap))
      expect(read(store, '/')).toBe('{"a":2,"b":1}')
    })

    test('a write that changes nothing has no sequence number', (store) => {
      expect(put(store, 'a', '{"b":[1,2]}').sequence).toBe(1)
      expect(put(store, 'a', '{"b":{"1":2,"0":1}}').sequence).toBe(undefined)
      expect(put(store, 'a/b/0', '1').sequence).toBe(undefined)
      expect(put(store, 'a/c', 'null').sequence).toBe(undefined)
      expect(put(store, 'x/.priority', '1').sequence).toBe(undefined)
      expect(put(store, 'a', '{"b":[1,3]}').sequence).toBe(2)
      using snapshot = store.snapshot()
      expect(snapshot.sequence).toBe(2)
      expect(textOf(snapshot.json(rootPath))).toBe('{"a":{"b":[1,3]}}')
    })

    test('write() resolves with the outcome of each write', async (store) => {
      const outcomes = await Promise.all([
        store.write(set('a', 1)),
        store.write(set('a', (current) => Number(current.node) + 1)),
        store.write(set('b', () => undefined)),
        store.write(set('a', (current) => Number(current.node) + 1)),
      ])
      expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, false, true])
      expect(read(store, '/')).toBe('{"a":3}')
    })

    test('what write() was answered for is in the next snapshot', async (store) => {
      for (let count = 1; count <= 5; count++) {
        accepted(await store.write(set('count', count)))
        expect(read(store, 'count')).toBe(String(count))
      }
    })
  })
}
