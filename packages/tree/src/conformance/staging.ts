import { HeldValueLimit } from '../held-value-limit.ts'
import type { WritePair } from '../store.ts'
import { accepted, at, codeOf, commit, failure, put, read, set, stage } from './fixture.ts'
import type { Suite } from './fixture.ts'

const value =
  '{"b":[1,null,{"é":"😀\\ud83d\\ude00\\n"}],"a":{"10":-1.5e3,"9":true,"":null}, "__proto__" : {".value":1,".priority":"p"}}'

/** Larger than what a store may hold while it reads: 4 MB of records. */
function largeList(): { name: string; tags: string[]; text: string }[] {
  return Array.from({ length: 8000 }, (_, index) => ({
    name: `item ${index}`,
    tags: ['a', 'b'],
    text: 'é'.repeat(230),
  }))
}

export function describeStaging({ describe, test, expect }: Suite): void {
  describe('staging', () => {
    test('a value is read the same however its bytes are cut', (store) => {
      const json = value.replace('"":null', '"x":null')
      put(store, 'whole', json)
      for (const chunkBytes of [1, 2, 3, 5, 7, 64]) {
        const [pair] = stage(store, json, { chunkBytes })
        accepted(commit(store, { pairs: [{ path: at('cut'), value: pair?.value ?? null }] }))
        expect(read(store, 'cut', 'export')).toBe(read(store, 'whole', 'export'))
        put(store, 'cut', 'null')
      }
    })

    test('nothing is there before it is written', (store) => {
      put(store, 'a', '1')
      const [pair] = stage(store, JSON.stringify(largeList()))
      expect(read(store, '/')).toBe('{"a":1}')
      accepted(commit(store, { pairs: [{ path: at('list'), value: pair?.value ?? null }] }))
      expect(read(store, 'list')).toBe(JSON.stringify(largeList()))
      expect(read(store, 'a')).toBe('1')
    })

    test('a large value can be read, changed and replaced in every part', (store) => {
      const list = largeList()
      const json = JSON.stringify({ '.priority': 4, list, deep: { er: { list } } })
      accepted(commit(store, { pairs: stage(store, json, { chunkBytes: 65_536 }) }))
      expect(read(store, 'deep/er/list/7999')).toBe(JSON.stringify(list[7999]))
      expect(read(store, 'list/0/tags/1')).toBe('"b"')
      expect(read(store, '/.priority')).toBe('4')
      put(store, 'list/4000', 'null')
      put(store, 'deep/er/list', '"gone"')
      expect(read(store, 'list/4000')).toBe(undefined)
      expect(read(store, 'list/4001')).toBe(JSON.stringify(list[4001]))
      expect(read(store, 'deep')).toBe('{"er":{"list":"gone"}}')
      accepted(commit(store, { pairs: stage(store, '{"small":1}') }))
      expect(read(store, '/', 'export')).toBe('{"small":1}')
    })

    test('of two members with one name the last one holds, at any size', (store) => {
      const list = JSON.stringify(largeList())
      const json = `{"a":${list},"b":1,"a":2,"b":${list},"c":${list},"c":null,"d":{"e":${list},"e":{}}}`
      accepted(commit(store, { pairs: stage(store, json, { chunkBytes: 65_536 }) }))
      expect(read(store, '/')).toBe(`{"a":2,"b":${list}}`)
    })

    test('what is empty is nothing, at any size', (store) => {
      const empty = `[${Array.from({ length: 300_000 }, () => '{}').join()}]`
      put(store, '/', '{"x":1}')
      accepted(commit(store, { pairs: stage(store, `{".priority":1,"a":${empty}}`) }))
      expect(read(store, '/')).toBe(undefined)
    })

    test('an update gives its members as values by themselves', (store) => {
      put(store, '/', '{"a":{"x":1,"y":1},"gone":1,"kept":1}')
      const json = `{"gone":null,"a/x":{"n":[1]},"a/.priority":3,"list":${JSON.stringify(largeList())}}`
      accepted(commit(store, { pairs: stage(store, json, { kind: 'update', chunkBytes: 1000 }) }))
      expect(read(store, 'a', 'export')).toBe('{".priority":3,"x":{"n":{"0":1}},"y":1}')
      expect(read(store, 'list')).toBe(JSON.stringify(largeList()))
      expect(read(store, 'gone')).toBe(undefined)
      expect(read(store, 'kept')).toBe('1')
    })

    test('an update keeps the priority of a node that loses all its old children', (store) => {
      put(store, 'a', '{".priority":5,"old":1}')
      const pairs = stage(store, '{"a/old":null,"a/new":1}', { kind: 'update' })
      accepted(commit(store, { pairs }))
      expect(read(store, 'a', 'export')).toBe('{".priority":5,"new":1}')
    })

    test('an update that is null stands for the value itself', (store) => {
      const stager = store.stage({ kind: 'update' })
      stager.write(new TextEncoder().encode(' null '))
      const pairs = stager.end()
      expect(pairs.map(({ key }) => key)).toEqual([''])
      expect(pairs[0]?.value).toBe(null)
    })

    test('server values are resolved when it is written', (store) => {
      put(store, '/', '{"n":5}')
      const json = '{"n":{".sv":{"increment":1}},"t":{".sv":"timestamp"}}'
      const { time } = accepted(commit(store, { pairs: stage(store, json, { chunkBytes: 4 }) }))
      expect(read(store, '/')).toBe(`{"n":6,"t":${time}}`)
    })

    test('an update has no more members than the limit says', async (store) => {
      const code = (json: string, maximum: number): Promise<unknown> =>
        failure(() =>
          stage(store, json, { kind: 'update', heldValues: new HeldValueLimit(maximum) }),
        )
      expect(await code('{"a":1,"b":2,"a":{"c":1,"d":2}}', 2)).toBe(undefined)
      expect(await code('{"a":1,"b":2,"c":3}', 2)).toBe('ERR_TOO_MANY_VALUES')
      expect(await code('{"a":1,"b":2,"c":3}', 3)).toBe(undefined)
      // What is long counts as several.
      const long = JSON.stringify({ a: 'x'.repeat(6000), b: 1 })
      expect(await code(long, 7)).toBe('ERR_TOO_MANY_VALUES')
      expect(await code(long, 8)).toBe(undefined)
    })

    test('a staged value is judged and conditioned like others', (store) => {
      const pairs = stage(store, JSON.stringify(largeList()))
      const precondition = { path: at('/'), etag: 'x' }
      expect(codeOf(commit(store, { pairs, precondition }))).toBe('ERR_CONDITION_FAILED')
      const again = stage(store, JSON.stringify(largeList()))
      const seen: string[] = []
      const outcome = commit(store, {
        pairs: again,
        judge: (before, after) => {
          seen.push(before.kind(at('/')), after.kind(at('/')), after.get(at('3/name')).text)
          return new Error('no')
        },
      })
      expect(outcome.ok).toBe(false)
      expect(seen).toEqual(['none', 'branch', '"item 3"'])
      expect(read(store, '/')).toBe(undefined)
    })

    test('bad input is refused with its place, wherever it is cut', async (store) => {
      const code = (json: string, kind: 'value' | 'update' = 'value'): Promise<unknown> =>
        failure(() => stage(store, json, { kind, chunkBytes: 3 }))
      expect(await code('')).toBe('ERR_JSON_SYNTAX')
      expect(await code('{"a":1')).toBe('ERR_JSON_SYNTAX')
      expect(await code('{"a":1}}')).toBe('ERR_JSON_SYNTAX')
      expect(await code('\ufeff{}')).toBe('ERR_JSON_SYNTAX')
      expect(await code('{"a.b":1}')).toBe('ERR_INVALID_KEY')
      expect(await code('{"":1}')).toBe('ERR_INVALID_KEY')
      expect(await code('{"a":1e400}')).toBe('ERR_INVALID_NUMBER')
      expect(await code('{"a":9007199254740993}')).toBe('ERR_INVALID_NUMBER')
      expect(await code('{"a":"\\ud800"}')).toBe('ERR_INVALID_STRING')
      expect(await code('['.repeat(100))).toBe('ERR_TOO_DEEP')
      expect(await code('{".priority":true,"a":1}')).toBe('ERR_INVALID_PRIORITY')
      expect(await code('{".sv":"x"}')).toBe('ERR_INVALID_SERVER_VALUE')
      expect(await code('{".value":1,"a":1}')).toBe('ERR_INVALID_VALUE')
      expect(await code('[1]', 'update')).toBe('ERR_NOT_AN_OBJECT')
      expect(await code('{"a":1,"a/b":2}', 'update')).toBe('ERR_PATH_CONFLICT')
      expect(await code('{"a//.b":1}', 'update')).toBe('ERR_INVALID_KEY')
      expect(read(store, '/')).toBe(undefined)
    })

    test('bad input behind a large value is refused too', async (store) => {
      const json = `{"list":${JSON.stringify(largeList())},"b":tru}`
      expect(await failure(() => stage(store, json, { chunkBytes: 65_536 }))).toBe(
        'ERR_JSON_SYNTAX',
      )
      expect(read(store, '/')).toBe(undefined)
      put(store, 'list', '1')
      expect(read(store, '/')).toBe('{"list":1}')
    })

    test('the limit on depth counts the path that it is written to', async (store) => {
      const staged = (depth: number): Promise<unknown> =>
        failure(() => stage(store, '{"a":{"b":1}}', { depth }))
      expect(await staged(30)).toBe(undefined)
      expect(await staged(31)).toBe('ERR_TOO_DEEP')
      const path = at('k/'.repeat(30))
      expect(await failure(() => stage(store, '{"a":{"b":1}}', { path }))).toBe(undefined)
      expect(await failure(() => stage(store, '{"a":{"b":[1]}}', { path }))).toBe('ERR_TOO_DEEP')
      const members = '{"a/b":{"c":1}}'
      expect(await failure(() => stage(store, members, { path, kind: 'update' }))).toBe(
        'ERR_TOO_DEEP',
      )
    })

    test('what is staged can be written once', (store) => {
      const stager = store.stage()
      stager.write(new TextEncoder().encode(JSON.stringify(largeList())))
      const staged = stager.end()[0]?.value ?? null
      accepted(commit(store, set('first', staged)))
      // A store that holds large values in memory may give a node instead.
      const isWrittenAgain = !(staged instanceof Object && 'staged' in staged)
      expect(commit(store, set('second', staged)).ok).toBe(isWrittenAgain)
      expect(commit(store, set('third', staged)).ok).toBe(isWrittenAgain)
      stager.abort()
      stager.abort()
      expect(read(store, 'first')).toBe(JSON.stringify(largeList()))
      using snapshot = store.snapshot()
      expect([...snapshot.keys(at('/'))].length).toBe(isWrittenAgain ? 3 : 1)
    })

    test('what is staged can be written once, also where the same write is sent again', async (store) => {
      const list = JSON.stringify(largeList())
      const [{ value: staged }] = stage(store, list) as [WritePair]
      // A store that holds large values in memory may give a node instead.
      const isWrittenAgain = !(staged instanceof Object && 'staged' in staged)
      const write = set('first', staged)
      const [first, ...later] = [
        ...store.commit([write, write, write]),
        commit(store, write),
        await store.write(write),
        commit(store, set('second', staged)),
      ]
      accepted(first)
      expect(later.map(({ ok }) => ok)).toEqual(later.map(() => isWrittenAgain))
      put(store, 'second', 'null')
      expect(read(store, 'first')).toBe(list)
    })

    test('what is staged can be written once, also where its write is repeated', (store) => {
      const list = JSON.stringify(largeList())
      const [{ value: staged }] = stage(store, list) as [WritePair]
      const isWrittenAgain = !(staged instanceof Object && 'staged' in staged)
      const idempotencyKey = { client: 'client', number: 1, fingerprint: 'x' }
      const write = { ...set('first', staged), idempotencyKey }
      const outcomes = store.commit([write, write])
      expect(outcomes.map((outcome) => accepted(outcome).repeated !== undefined)).toEqual([
        false,
        true,
      ])
      expect(accepted(commit(store, write)).repeated).toEqual({ memo: undefined })
      expect(commit(store, set('second', staged)).ok).toBe(isWrittenAgain)
      put(store, 'second', 'null')
      expect(read(store, 'first')).toBe(list)
    })

    test('what is thrown away is not there', (store) => {
      const stager = store.stage()
      stager.write(new TextEncoder().encode(JSON.stringify(largeList())))
      stager.abort()
      const ended = store.stage()
      ended.write(new TextEncoder().encode(JSON.stringify(largeList())))
      ended.end()
      ended.abort()
      expect(read(store, '/')).toBe(undefined)
      put(store, 'a', '1')
      expect(read(store, '/')).toBe('{"a":1}')
    })
  })
}
