import type { TreeQuery } from '../query.ts'
import { runQuery } from '../run-query.ts'
import type { TreeSnapshot, TreeStore } from '../store.ts'
import { at, failure, put, set, textOf, thrown } from './fixture.ts'
import type { Suite } from './fixture.ts'

const list =
  '{".priority":1,"10":3,"9":{".value":3,".priority":"p"},"a":{"x":1,".priority":2},"b":"s","c":true}'

function keysOf(snapshot: TreeSnapshot, query: TreeQuery): string[] {
  return Array.from(snapshot.query(at('/list'), query).entries(), ({ key }) => key)
}

function jsonOf(snapshot: TreeSnapshot, path: string, query: TreeQuery): string | undefined {
  const blocks = snapshot.query(at(path), query).jsonBlocks('export')
  return blocks && Array.from(blocks, (block) => textOf(block)).join('')
}

/** Queries that need no index, so that any store answers them. */
export function describeQuerying({ describe, test, expect }: Suite): void {
  describe('querying', () => {
    const open = (store: TreeStore): TreeSnapshot => {
      put(store, '/list', list)
      return store.snapshot()
    }

    test('children come in key order, between bounds, up to a limit', (store) => {
      using snapshot = open(store)
      expect(keysOf(snapshot, { orderBy: '$key' })).toEqual(['9', '10', 'a', 'b', 'c'])
      expect(keysOf(snapshot, { orderBy: '$key', limitToLast: 2 })).toEqual(['b', 'c'])
      const some: TreeQuery = {
        orderBy: '$key',
        start: { value: '10' },
        end: { value: 'c', isExclusive: true },
      }
      expect(keysOf(snapshot, some)).toEqual(['10', 'a', 'b'])
      expect(keysOf(snapshot, { ...some, reverse: true })).toEqual(['b', 'a', '10'])
      expect(keysOf(snapshot, { ...some, limitToFirst: 1 })).toEqual(['10'])
    })

    test('children come in the order of their priorities', (store) => {
      using snapshot = open(store)
      expect(keysOf(snapshot, { orderBy: '$priority' })).toEqual(['10', 'b', 'c', 'a', '9'])
      const query: TreeQuery = { orderBy: '$priority', start: { value: 2 } }
      expect(keysOf(snapshot, query)).toEqual(['a', '9'])
    })

    test('a result says the same as the rule that is evaluated in memory', (store) => {
      using snapshot = open(store)
      const value = snapshot.get(at('/list'))
      const queries: TreeQuery[] = [
        { orderBy: '$key', limitToFirst: 3 },
        { orderBy: '$priority', reverse: true, limitToLast: 2 },
        { orderBy: '$key', where: [{ field: '$priority', op: '>=', value: 0 }] },
      ]
      for (const query of queries) {
        const result = snapshot.query(at('/list'), query)
        const wanted = runQuery(value, query)
        expect([...result.entries()]).toEqual([...wanted.entries()])
        expect(result.count()).toBe(wanted.count())
        expect(result.cursor()).toBe(wanted.cursor())
        expect(Array.from(result.jsonBlocks() ?? [], textOf).join('')).toBe(
          Array.from(wanted.jsonBlocks() ?? [], textOf).join(''),
        )
      }
    })

    test('a result comes in steps too, which say the same', (store) => {
      using snapshot = open(store)
      for (const query of [
        { orderBy: '$key' },
        { orderBy: '$key', limitToFirst: 2 },
        { orderBy: '$priority', limitToFirst: 5, reverse: true },
        { orderBy: '$priority', limitToLast: 2 },
        { orderBy: '$key', where: [{ field: '$priority', op: '>=', value: 0 }] },
        { orderBy: '$key', start: { value: 'z' }, limitToFirst: 1 },
      ] satisfies TreeQuery[]) {
        const result = snapshot.query(at('/list'), query)
        expect(taken(result.pageSteps())).toEqual([[...result.entries()], result.cursor()])
        expect(taken(result.countSteps())).toEqual([[], result.count()])
      }
      expect(taken(snapshot.query(at('/none'), { orderBy: '$key' }).pageSteps())).toEqual([
        [],
        undefined,
      ])
      expect(taken(snapshot.query(at('/none'), { orderBy: '$key' }).countSteps())).toEqual([[], 0])
    })

    test('a result has priorities of the children, and none of its own', (store) => {
      using snapshot = open(store)
      expect(jsonOf(snapshot, '/list', { orderBy: '$key', limitToFirst: 1 })).toBe(
        '{"9":{".value":3,".priority":"p"}}',
      )
      expect(jsonOf(snapshot, '/list', { orderBy: '$key', start: { value: 'z' } })).toBe('{}')
      expect(jsonOf(snapshot, '/list/b', { orderBy: '$key' })).toBe(undefined)
      expect(jsonOf(snapshot, '/none', { orderBy: '$key' })).toBe(undefined)
    })

    test('pages follow each other, whatever is written between them', (store) => {
      using first = open(store)
      const page: TreeQuery = { orderBy: '$key', limitToFirst: 2 }
      const cursor = first.query(at('/list'), page).cursor()
      store.commit([set('/list/10', null), set('/list/11', 1), set('/list/8', 1)])
      using second = store.snapshot()
      expect(keysOf(second, { ...page, cursor: cursor ?? '' })).toEqual(['11', 'a'])
    })

    test('a query by a value needs an index, also where nothing is', async (store) => {
      using snapshot = open(store)
      for (const path of ['/list', '/none']) {
        const ask = (query: TreeQuery) => failure(() => snapshot.query(at(path), query))
        expect(await ask({ orderBy: 'x' })).toBe('ERR_INDEX_NOT_DEFINED')
        expect(await ask({ orderBy: '$value' })).toBe('ERR_INDEX_NOT_DEFINED')
        const where = [{ field: 'x', op: '==', value: 1 } as const]
        expect(await ask({ orderBy: '$key', where })).toBe('ERR_INDEX_NOT_DEFINED')
      }
    })

    test('a wrong query is refused before an index is looked for', async (store) => {
      using snapshot = open(store)
      const ask = (query: TreeQuery) => () => snapshot.query(at('/list'), query)
      expect(await thrown(ask({ orderBy: 'x', limitToFirst: 0 }))).toBe('RangeError')
      expect(await failure(ask({ orderBy: 'x.y' }))).toBe('ERR_INVALID_PATH')
      expect(await failure(ask({ orderBy: 'x', cursor: 'none' }))).toBe('ERR_INVALID_CURSOR')
    })

    test('a result ends with its snapshot', async (store) => {
      const snapshot = open(store)
      const result = snapshot.query(at('/list'), { orderBy: '$key' })
      const blocks = result.jsonBlocks()
      snapshot.close()
      const closed = 'ERR_STORE_CLOSED'
      expect(await failure(() => snapshot.query(at('/list'), { orderBy: '$key' }))).toBe(closed)
      expect(await failure(() => [...result.entries()])).toBe(closed)
      expect(await failure(() => result.count())).toBe(closed)
      expect(await failure(() => [...(blocks ?? [])])).toBe(closed)
      expect(await failure(() => [...result.pageSteps()])).toBe(closed)
      expect(await failure(() => [...result.countSteps()])).toBe(closed)
    })
  })
}

/** What steps gave, without the pauses, and what they came to. */
function taken<T, R>(steps: Generator<T, R, void>): [given: T[], result: R] {
  const given: T[] = []
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return [given, value]
    if (value !== undefined) given.push(value)
  }
}
