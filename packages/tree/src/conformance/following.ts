import { eventIdInside } from '../event-id.ts'
import { rootPath } from '../path.ts'
import type { PairFrame, TreeStore } from '../store.ts'
import { at, commit, put, record, set, shown } from './fixture.ts'
import type { Suite } from './fixture.ts'

export function describeFollowing({ describe, test, expect }: Suite): void {
  describe('the change log', () => {
    test('changesFrom() gives a change and those behind it', async (store) => {
      const recording = record(store)
      put(store, 'a', '1')
      commit(store, { pairs: [set('b', 2).pairs[0]!, set('c/d', 3).pairs[0]!], update: rootPath })
      put(store, 'a', 'null')
      const changes = await recording.heard(3)
      for (const [index, { id }] of changes.entries()) {
        expect(described(store, id)).toEqual(changes.slice(index).map(describedChange))
      }
    })

    test('cursorFrom() goes to the same changes, where there is one', (store) => {
      const beginning = store.idOf(0)!
      put(store, 'a', '1')
      commit(store, { pairs: [set('b', 2).pairs[0]!, set('c/d', 3).pairs[0]!], update: rootPath })
      put(store, 'ä', '"ü"')
      for (const id of [beginning, store.idOf(1)!, store.idOf(2)!, store.idOf(3)!, 'x-1-y', '']) {
        const changes = stepped(store, id)
        if (changes !== undefined) expect(changes).toEqual(described(store, id))
      }
    })

    test('what a cursor gave stays when it has gone on', (store) => {
      put(store, 'a', '1')
      put(store, 'b', '"text"')
      using cursor = store.cursorFrom?.(store.idOf(1)!)
      if (cursor === undefined) return
      cursor.next()
      const first = cursor.change
      cursor.next()
      put(store, 'c', '3')
      expect([first, cursor.change].map(shown)).toEqual([['/a=1'], ['/b="text"']])
      expect(cursor.next()).toBe(false)
    })

    test('idOf() names each change as its subscribers know it', async (store) => {
      const recording = record(store)
      put(store, 'a', '1')
      put(store, 'b', '2')
      const changes = await recording.heard(2)
      expect(changes.map(({ sequence }) => store.idOf(sequence))).toEqual(
        changes.map(({ id }) => id),
      )
      expect(store.idOf(3)).toBe(undefined)
    })

    test('idOf(0) stands before all changes', (store) => {
      const beginning = store.idOf(0)!
      expect([...store.changesFrom(beginning)].map(({ pairs }) => pairs)).toEqual([[]])
      put(store, 'a', '1')
      put(store, 'b', '2')
      expect(store.idOf(0)).toBe(beginning)
      expect([...store.changesFrom(beginning)].map(({ sequence }) => sequence)).toEqual([0, 1, 2])
    })

    test('a place that is none has no changes behind it', (store) => {
      put(store, 'a', '1')
      const id = store.idOf(1)!
      for (const other of ['', '-', 'a-1-b', `${id}0`, eventIdInside(id, 1), `x${id}`]) {
        expect([...store.changesFrom(other)]).toEqual([])
      }
    })

    test('a change says which path was updated', async (store) => {
      const recording = record(store)
      commit(store, { ...set('a/b/c', 1), update: at('a/b') })
      commit(store, { ...set('ä/b', 1), update: at('ä') })
      commit(store, { ...set('a', 1), update: rootPath })
      commit(store, set('a/b', 1))
      const changes = await recording.heard(4)
      const updates = ['/a/b', '/ä', '/', undefined]
      expect(changes.map(({ update }) => update)).toEqual(updates)
      const logged = [...store.changesFrom(store.idOf(1)!)]
      expect(logged.map(({ update }) => update)).toEqual(updates)
      expect(logged.map(shown)).toEqual(changes.map(shown))
    })
  })
}

function described(store: TreeStore, id: string): unknown[] {
  return Array.from(store.changesFrom(id), describedChange)
}

const space = new TextEncoder().encode(' ')

/** Writes paths, texts and ids of all pairs, with a space in between. */
const spaced: PairFrame = {
  path: new Uint8Array(),
  beforePath: new Uint8Array(),
  beforeText: space,
  beforeOwnText: space,
  beforeId: space,
  behindId: new Uint8Array(),
  isSpecial: new Uint8Array(256),
}

/** The same by a cursor; `undefined` for stores that have none. */
function stepped(store: TreeStore, id: string): unknown[] | undefined {
  using cursor = store.cursorFrom?.(id)
  if (cursor === undefined) return undefined
  const changes: unknown[] = []
  const decoder = new TextDecoder()
  while (cursor.next()) {
    const target = { bytes: new Uint8Array(1024), end: 0, limit: 1024, count: 0, wanted: 0 }
    const done = cursor.copyPairs(spaced, target, 1)
    const { change } = cursor
    const [sole] = change.pairs
    const text = decoder.decode(target.bytes.slice(0, target.end))
    cursor.idle()
    if (cursor.sequence !== change.sequence || cursor.id !== change.id) changes.push(cursor.id)
    if (done === 1 && text !== `${sole?.path} ${sole?.value?.text} ${change.id}`) changes.push(text)
    changes.push(describedChange(change))
  }
  return changes
}

function describedChange(change: Parameters<typeof shown>[0]): unknown {
  return [change?.sequence, change?.time, change?.id, change?.update, shown(change)]
}
