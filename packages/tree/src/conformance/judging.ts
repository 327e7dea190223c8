import { parseJson } from '../parse.ts'
import { rootPath } from '../path.ts'
import type { Judge, KnownEtag, TreeStore, TreeView } from '../store.ts'
import { accepted, at, codeOf, commit, etag, failure, put, read, refused, set } from './fixture.ts'
import type { Suite } from './fixture.ts'

class Verdict extends Error {}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `number ${index}`)
}

function knownEtag(store: TreeStore, path: string): KnownEtag {
  using snapshot = store.snapshot()
  return { etag: snapshot.etag(at(path)), sequence: snapshot.sequence }
}

export function describeJudging({ describe, test, expect }: Suite): void {
  describe('preconditions', () => {
    test('a write is applied where the etag is right', (store) => {
      put(store, 'a', '{"b":1}')
      const precondition = { path: at('a'), etag: etag(store, 'a') }
      expect(commit(store, { ...set('a', 2), precondition }).ok).toBe(true)
      expect(read(store, 'a')).toBe('2')
    })

    test('a write is refused where it is wrong, and told what is there', (store) => {
      put(store, 'a', '{"b":1}')
      const before = etag(store, 'a')
      put(store, 'a/c', '2')
      const outcome = commit(store, {
        ...set('a', 3),
        precondition: { path: at('a'), etag: before },
      })
      expect(codeOf(outcome)).toBe('ERR_CONDITION_FAILED')
      const { current } = refused(outcome)
      expect(current?.etag).toBe(etag(store, 'a'))
      expect(current?.value.text).toBe('{"b":1,"c":2}')
      expect(read(store, 'a')).toBe('{"b":1,"c":2}')
    })

    test('null_etag stands for nothing there', (store) => {
      const create = { ...set('a', 1), precondition: { path: at('a'), etag: 'null_etag' } }
      expect(commit(store, create).ok).toBe(true)
      expect(codeOf(commit(store, create))).toBe('ERR_CONDITION_FAILED')
      put(store, 'a', 'null')
      const replace = { ...set('a', 1), precondition: { path: at('a'), etag: 'x' } }
      const { current } = refused(commit(store, replace))
      expect(current?.etag).toBe('null_etag')
      expect(current?.value.isNull).toBe(true)
    })

    test('they look at the tree as the writes before them left it', (store) => {
      const create = { ...set('a', 1), precondition: { path: at('a'), etag: 'null_etag' } }
      expect(store.commit([create, create]).map(codeOf)).toEqual([
        undefined,
        'ERR_CONDITION_FAILED',
      ])
    })

    test('they may concern another place, and its priorities', (store) => {
      put(store, 'lock', '{"owner":{".value":"me","\\u002epriority":1}}')
      const precondition = { path: at('lock'), etag: etag(store, 'lock') }
      expect(commit(store, { ...set('a', 1), precondition }).ok).toBe(true)
      put(store, 'lock/owner/.priority', '2')
      expect(codeOf(commit(store, { ...set('a', 2), precondition }))).toBe('ERR_CONDITION_FAILED')
      const ofPriority = {
        path: at('lock/owner/.priority'),
        etag: etag(store, 'lock/owner/.priority'),
      }
      expect(commit(store, { ...set('a', 3), precondition: ofPriority }).ok).toBe(true)
    })

    test('a large value is compared as it is when the write happens', async (store) => {
      const large = parseJson(JSON.stringify({ text: 'x'.repeat(100_000), list: numbers(4000) }))
      accepted(commit(store, set('l', large)))
      const before = etag(store, 'l')
      const precondition = { path: at('l'), etag: before }
      const writes = [
        { ...set('done/a', 1), precondition },
        { ...set('l/more', 1), precondition },
        { ...set('done/b', 1), precondition },
        set('l/more', null),
        { ...set('done/c', 1), precondition },
        { ...set('done/d', 1), precondition: { path: at('l'), etag: 'x' } },
        set('/', parseJson(JSON.stringify({ done: { before: 1 } }))),
        { ...set('done/e', 1), precondition },
      ]
      const failed = 'ERR_CONDITION_FAILED'
      expect(store.commit(writes).map(codeOf)).toEqual([
        undefined,
        undefined,
        failed,
        undefined,
        undefined,
        failed,
        undefined,
        failed,
      ])
      expect(read(store, '/')).toBe('{"done":{"before":1}}')
    })

    test('a queued write may wait until a large value is compared', async (store) => {
      accepted(commit(store, set('l', parseJson(JSON.stringify(numbers(20_000))))))
      const precondition = { path: at('l'), etag: etag(store, 'l') }
      const beside = Promise.all([
        store.write({ ...set('a', 1), precondition }),
        store.write({ ...set('b', 1), precondition: { path: at('l'), etag: 'x' } }),
        store.write(set('c', 1)),
      ])
      expect((await beside).map(codeOf)).toEqual([undefined, 'ERR_CONDITION_FAILED', undefined])
      const against = Promise.all([
        store.write(set('l/0', 'changed')),
        store.write({ ...set('d', 1), precondition }),
      ])
      expect((await against).map(codeOf)).toEqual([undefined, 'ERR_CONDITION_FAILED'])
      const last = store.write({
        ...set('e', 1),
        precondition: { path: at('l'), etag: etag(store, 'l') },
      })
      await store.close()
      expect((await last).ok).toBe(true)
    })

    test('what a snapshot said may be brought along', (store) => {
      accepted(commit(store, set('l', parseJson(JSON.stringify(numbers(20_000))))))
      const known = knownEtag(store, 'l')
      put(store, 'beside', '1')
      const precondition = { path: at('l'), etag: known.etag, known }
      expect(commit(store, { ...set('a', 1), precondition }).ok).toBe(true)
      put(store, 'l/0', '"changed"')
      expect(codeOf(commit(store, { ...set('a', 2), precondition }))).toBe('ERR_CONDITION_FAILED')
      const now = knownEtag(store, 'l')
      const other = { ...precondition, known: now }
      expect(codeOf(commit(store, { ...set('a', 3), precondition: other }))).toBe(
        'ERR_CONDITION_FAILED',
      )
      expect(read(store, 'a')).toBe('1')
    })

    test('what is known of a place above which something was written may be too old', (store) => {
      accepted(commit(store, set('p/l', parseJson(JSON.stringify(numbers(20_000))))))
      const known = knownEtag(store, 'p/l')
      const precondition = { path: at('p/l'), etag: known.etag, known }
      using snapshot = store.snapshot()
      accepted(commit(store, set('p', snapshot.get(at('p')))))
      accepted(commit(store, set('p/beside', 1)))
      let judged = 0
      const judge = (): undefined => void judged++
      const code = codeOf(commit(store, { ...set('a', 1), precondition, judge }))
      expect(code).toBe(judged === 0 ? 'ERR_CONDITION_STALE' : undefined)
      const again = { path: at('p/l'), etag: known.etag }
      expect(commit(store, { ...set('a', 1), precondition: again }).ok).toBe(true)
    })

    test('the etag of a large value is a condition like others', (store) => {
      const list = Array.from({ length: 2000 }, (_, index) => ({ text: `item ${index}` }))
      put(store, 'list', JSON.stringify(list))
      const precondition = { path: at('list'), etag: etag(store, 'list') }
      expect(commit(store, { ...set('list/0', 1), precondition }).ok).toBe(true)
      expect(codeOf(commit(store, { ...set('list/0', 2), precondition }))).toBe(
        'ERR_CONDITION_FAILED',
      )
    })
  })

  describe('judges', () => {
    test('they see the tree before and after the write', (store) => {
      put(store, '/', '{"a":{"b":1,"c":2},"x":true}')
      const seen: unknown[] = []
      const judge: Judge = (before, after) => {
        for (const view of [before, after]) {
          const values = ['/', 'a/b', 'n'].map((path) => view.get(at(path)).text)
          const kinds = ['a', 'n', 'q'].map((path) => view.kind(at(path)))
          const keys = ['/', 'a'].map((path) => [...view.keys(at(path))].join('+'))
          seen.push([values, kinds, keys].map((list) => list.join(' ')))
        }
        return undefined
      }
      const pairs = [
        { path: at('a/b'), value: null },
        { path: at('n'), value: parseJson('{"m":[1]}') },
      ]
      accepted(commit(store, { pairs, judge }))
      expect(seen).toEqual([
        ['{"a":{"b":1,"c":2},"x":true} 1 null', 'branch none none', 'a+x b+c'],
        ['{"a":{"c":2},"n":{"m":[1]},"x":true} null {"m":[1]}', 'branch branch none', 'a+n+x c'],
      ])
    })

    test('keys() of the view after keeps to its range', (store) => {
      put(store, 'l', '{"a":1,"c":1,"e":1,"g":1}')
      let seen: string[][] = []
      const judge: Judge = (_, after) => {
        seen = [
          [...after.keys(at('l'), { after: 'a', before: 'g' })],
          [...after.keys(at('l'), { limit: 2 })],
          [...after.keys(at('l'), { reverse: true, limit: 3 })],
        ]
        return undefined
      }
      const pairs = [
        { path: at('l/b'), value: 1 },
        { path: at('l/c'), value: null },
        { path: at('l/f/x'), value: 1 },
      ]
      accepted(commit(store, { pairs, judge }))
      expect(seen).toEqual([
        ['b', 'e', 'f'],
        ['a', 'b'],
        ['g', 'f', 'e'],
      ])
    })

    test('the view after shows what goes with a deletion and with a leaf', (store) => {
      put(store, '/', '{"a":{"b":{"c":1}},"leaf":{".value":5,".priority":7}}')
      const seen: string[] = []
      const judge: Judge = (_, after) => {
        seen.push(after.kind(at('a')), [...after.keys(rootPath)].join())
        seen.push(after.get(at('leaf')).toText('export'), after.get(at('leaf/.priority')).text)
        return undefined
      }
      const pairs = [
        { path: at('a/b/c'), value: null },
        { path: at('leaf/x'), value: 1 },
      ]
      accepted(commit(store, { pairs, judge }))
      expect(seen).toEqual(['none', 'leaf', '{".priority":7,"x":1}', '7'])
    })

    test('they see server values and functions resolved, and the time of the write', (store) => {
      put(store, 'n', '1')
      let seen: unknown
      const judge: Judge = (_, after, now) => {
        seen = [after.get(at('n')).node, after.get(at('t')).node === now, after.get(at('f')).node]
        return undefined
      }
      const outcome = commit(store, {
        pairs: [
          { path: at('n'), value: parseJson('{".sv":{"increment":1}}') },
          { path: at('t'), value: parseJson('{".sv":"timestamp"}') },
          { path: at('f'), value: () => 'made' },
        ],
        judge,
      })
      expect(seen).toEqual([2, true, 'made'])
      expect(read(store, 't')).toBe(String(accepted(outcome).time))
    })

    test('what they refuse is not written, and their error is the outcome', (store) => {
      put(store, 'a', '1')
      const verdict = new Verdict('no')
      const outcomes = store.commit([
        { ...set('a', 2), judge: () => verdict },
        set('b', 1),
        {
          ...set('a', 3),
          judge: () => {
            throw verdict
          },
        },
      ])
      expect(outcomes.map(({ ok }) => ok)).toEqual([false, true, false])
      expect(refused(outcomes[0]).error).toBe(verdict)
      expect(refused(outcomes[2]).error).toBe(verdict)
      expect(read(store, '/')).toBe('{"a":1,"b":1}')
    })

    test('a write is judged on what the writes before it left', (store) => {
      const onlyOnce: Judge = (before) =>
        before.kind(at('seat')) === 'none' ? undefined : new Verdict('taken')
      const take = (name: string) => ({ ...set('seat', name), judge: onlyOnce })
      expect(store.commit([take('ada'), take('bob')]).map(({ ok }) => ok)).toEqual([true, false])
      expect(read(store, 'seat')).toBe('"ada"')
    })

    test('their refusal comes before a precondition that fails', (store) => {
      put(store, 'a', '1')
      const precondition = { path: at('a'), etag: 'null_etag' }
      const outcome = commit(store, {
        ...set('a', 2),
        precondition,
        judge: () => new Verdict('no'),
      })
      expect(refused(outcome).error instanceof Verdict).toBe(true)
      expect(refused(outcome).current).toBe(undefined)
      const allowed = commit(store, { ...set('a', 2), precondition, judge: () => undefined })
      expect(codeOf(allowed)).toBe('ERR_CONDITION_FAILED')
      expect(refused(allowed).current?.value.text).toBe('1')
      expect(read(store, 'a')).toBe('1')
    })

    test('they are asked about writes that change nothing too', (store) => {
      put(store, 'a', '1')
      expect(commit(store, { ...set('a', 1), judge: () => new Verdict('no') }).ok).toBe(false)
    })

    test('their views end with them', async (store) => {
      const kept: TreeView[] = []
      const judge: Judge = (before, after) => {
        kept.push(before, after)
        return undefined
      }
      accepted(commit(store, { ...set('a', 1), judge }))
      for (const view of kept) {
        expect(await failure(() => view.get(rootPath))).toBe('ERR_STORE_CLOSED')
      }
    })
  })
}
