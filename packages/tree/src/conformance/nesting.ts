import type { TreeSnapshot, TreeStore } from '../store.ts'
import { accepted, at, commit, put, read, set, thrown } from './fixture.ts'
import type { Suite } from './fixture.ts'

/** What each use of a store throws, in the order of the uses. They run at once. */
function uses(store: TreeStore, older: TreeSnapshot): Promise<unknown[]> {
  const bodies: (() => unknown)[] = [
    () => store.snapshot(),
    () => store.commit([set('inner', 1)]),
    async () => store.write(set('inner', 1)),
    () => store.stage(),
    async () => store.close(),
    () => older.kind(at('a')),
    () => older.get(at('a')),
    () => [...older.keys(at('a'))],
    () => older.json(at('a')),
    () => [...(older.jsonBlocks(at('a')) ?? [])],
    () => older.etag(at('a')),
  ]
  return Promise.all(bodies.map(thrown))
}

const refusals: readonly string[] = Array.from({ length: 11 }, () => 'TypeError')

export function describeNesting({ describe, test, expect }: Suite): void {
  describe('inside a write', () => {
    test('a function of what is there can neither read the store nor write to it', async (store) => {
      put(store, 'a', '{"b":1}')
      using older = store.snapshot()
      let results: Promise<unknown[]> | undefined
      const value = (): number => {
        results = uses(store, older)
        return 2
      }
      accepted(commit(store, set('a/b', value)))
      expect(await results).toEqual(refusals)
      expect(read(store, '/')).toBe('{"a":{"b":2}}')
      expect(older.get(at('a')).text).toBe('{"b":1}')
    })

    test('a judge has its two views, and nothing else', async (store) => {
      put(store, 'a', '{"b":1}')
      using older = store.snapshot()
      let results: Promise<unknown[]> | undefined
      const seen: string[] = []
      const outcome = commit(store, {
        ...set('a/b', 2),
        judge: (before, after) => {
          results = uses(store, older)
          seen.push(before.get(at('a')).text, after.get(at('a')).text)
          return undefined
        },
      })
      expect(outcome.ok).toBe(true)
      expect(await results).toEqual(refusals)
      expect(seen).toEqual(['{"b":1}', '{"b":2}'])
      expect(read(store, '/')).toBe('{"a":{"b":2}}')
    })

    test('what is thrown there is the outcome of the write, and the next one is applied', (store) => {
      const nested = set('a', () => {
        store.commit([set('inner', 1)])
        return 1
      })
      const [first, second] = store.commit([nested, set('b', 1)])
      expect(first?.ok === false && first.error instanceof TypeError).toBe(true)
      expect(second?.ok).toBe(true)
      expect(read(store, '/')).toBe('{"b":1}')
    })

    test('a snapshot can be closed', (store) => {
      const older = store.snapshot()
      accepted(
        commit(
          store,
          set('a', () => {
            older.close()
            return 1
          }),
        ),
      )
      expect(read(store, '/')).toBe('{"a":1}')
    })
  })
}
