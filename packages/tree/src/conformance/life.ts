import { applyChange } from '../change.ts'
import { TreeError } from '../errors.ts'
import type { TreeNode } from '../node.ts'
import { rootPath } from '../path.ts'
import type { WriteOutcome } from '../store.ts'
import { at, failure, put, read, record, set, shown, textOf } from './fixture.ts'
import type { Recording, Suite } from './fixture.ts'

export function describeLife({ describe, test, expect }: Suite): void {
  describe('changes', () => {
    test('subscribers hear of each change in order', async (store) => {
      const recording = record(store)
      put(store, 'a', '{"b":1}')
      store.commit([set('a/b', 2), set('c', () => undefined), set('c', 3)])
      put(store, 'a', 'null')
      const changes = await recording.heard(4)
      expect(changes.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4])
      expect(changes.map(shown)).toEqual([['/a={"b":1}'], ['/a/b=2'], ['/c=3'], ['/a=null']])
      expect(new Set(changes.map(({ id }) => id)).size).toBe(4)
    })

    test('a change carries what was written, resolved', async (store) => {
      const recording = record(store)
      put(store, 'n', '1')
      const { time } = put(store, '/', '{"n":{".sv":{"increment":1}},"t":{".sv":"timestamp"}}')
      const changes = await recording.heard(2)
      expect(shown(changes[1])).toEqual([`/={"n":2,"t":${time}}`])
      expect(changes[1]?.time).toBe(time)
    })

    test('pairs that change nothing are left out', async (store) => {
      const recording = record(store)
      put(store, '/', '{"a":1,"b":1}')
      store.commit([
        {
          pairs: [
            { path: at('a'), value: 1 },
            { path: at('z'), value: 3 },
            { path: at('b'), value: 2 },
            { path: at('none/.priority'), value: 1 },
          ],
        },
      ])
      put(store, 'b', '2')
      put(store, 'b/.priority', '5')
      const changes = await recording.heard(3)
      expect(shown(changes[1])).toEqual(['/z=3', '/b=2'])
      expect(shown(changes[2])).toEqual(['/b/.priority=5'])
    })

    test('changes applied one after the other give the tree', async (store) => {
      const recording = record(store)
      put(store, 'a', '{".priority":1,"b":{".value":1,".priority":2}}')
      put(store, 'a/b/c', '[1,2]')
      put(store, 'x', '{"01":true}')
      put(store, 'a/b/c/0', 'null')
      put(store, 'x/.priority', '"p"')
      const changes = await recording.heard(5)
      let tree: TreeNode | null = null
      for (const change of changes) tree = applyChange(tree, change)
      using snapshot = store.snapshot()
      expect(tree).toEqual(snapshot.get(rootPath).node)
    })

    test('who has stopped listening hears nothing more', async (store) => {
      const stopped = record(store)
      const recording = record(store)
      put(store, 'a', '1')
      await stopped.heard(1)
      stopped.stop()
      stopped.stop()
      put(store, 'a', '2')
      await recording.heard(2)
      expect(stopped.changes.length).toBe(1)
    })

    test('who is stopped by another listener hears nothing more', async (store) => {
      store.subscribe(() => {
        stopped.stop()
      })
      const stopped = record(store)
      const recording = record(store)
      put(store, 'a', '1')
      await recording.heard(1)
      expect(stopped.changes.length).toBe(0)
    })

    test('who begins to listen while others hear of changes does not hear of those', async (store) => {
      let late: Recording | undefined
      store.subscribe(([change]) => {
        if (change?.sequence !== 1) return
        store.commit([set('b', 1)])
        late = record(store)
      })
      const recording = record(store)
      put(store, 'a', '1')
      await recording.heard(2)
      put(store, 'c', '1')
      expect((await late?.heard(1))?.map(shown)).toEqual([['/c=1']])
    })

    test('a subscriber may write', async (store) => {
      const stop = store.subscribe(([change]) => {
        if (change?.sequence === 1) store.commit([set('echo', 1)])
      })
      const recording = record(store)
      put(store, 'a', '1')
      const changes = await recording.heard(2)
      expect(changes.map(({ sequence }) => sequence)).toEqual([1, 2])
      expect(read(store, '/')).toBe('{"a":1,"echo":1}')
      stop()
    })
  })

  describe('snapshots', () => {
    test('a snapshot stays as it was', (store) => {
      put(store, '/', '{"a":{"b":1},"l":[1,2]}')
      using before = store.snapshot()
      put(store, 'a/b', '2')
      put(store, 'l', 'null')
      using after = store.snapshot()
      expect(textOf(before.json(rootPath))).toBe('{"a":{"b":1},"l":[1,2]}')
      expect([...before.keys(rootPath)]).toEqual(['a', 'l'])
      expect(before.kind(at('l'))).toBe('branch')
      expect(before.sequence).toBe(1)
      expect(textOf(after.json(rootPath))).toBe('{"a":{"b":2}}')
      expect(after.sequence).toBe(3)
    })

    test('a snapshot stays as it was, whatever is opened and closed beside it', (store) => {
      put(store, 'a', '1')
      using before = store.snapshot()
      store.commit([])
      store.snapshot().close()
      put(store, 'a', '2')
      using after = store.snapshot()
      expect(textOf(after.json(at('a')))).toBe('2')
      expect(textOf(before.json(at('a')))).toBe('1')
    })

    test('a large value is read whole while it is replaced', (store) => {
      const list = Array.from({ length: 4000 }, (_, index) => ({ text: `item number ${index}` }))
      put(store, 'list', JSON.stringify(list))
      using snapshot = store.snapshot()
      let text = ''
      const decoder = new TextDecoder()
      for (const block of snapshot.jsonBlocks(at('list')) ?? []) {
        put(store, 'list', `{"replaced":${text.length}}`)
        text += decoder.decode(block, { stream: true })
      }
      expect(text).toBe(JSON.stringify(list))
    })

    test('who says it is idle keeps its snapshots, and reads what is new', async (store) => {
      put(store, 'a', '1')
      using before = store.snapshot()
      store.idle()
      put(store, 'a', '2')
      store.idle()
      expect(textOf(before.json(rootPath))).toBe('{"a":1}')
      expect(read(store, 'a')).toBe('2')
      store.idle()
      store.idle()
      expect(read(store, 'a')).toBe('2')
      await store.close()
      store.idle()
    })

    test('a closed snapshot reads no more', async (store) => {
      put(store, 'a', '1')
      const snapshot = store.snapshot()
      snapshot.close()
      snapshot.close()
      expect(await failure(() => snapshot.json(rootPath))).toBe('ERR_STORE_CLOSED')
      expect(await failure(() => snapshot.kind(rootPath))).toBe('ERR_STORE_CLOSED')
      expect(await failure(() => snapshot.get(rootPath))).toBe('ERR_STORE_CLOSED')
      expect(await failure(() => [...snapshot.keys(rootPath)])).toBe('ERR_STORE_CLOSED')
      expect(await failure(() => snapshot.etag(rootPath))).toBe('ERR_STORE_CLOSED')
      expect(await failure(() => [...(snapshot.jsonBlocks(rootPath) ?? [])])).toBe(
        'ERR_STORE_CLOSED',
      )
    })
  })

  describe('close()', () => {
    test('a commit does not overtake queued writes', async (store) => {
      const queued = store.write(set('a', 'queued'))
      store.commit([set('a', 'committed')])
      expect((await queued).ok).toBe(true)
      expect(read(store, 'a')).toBe('"committed"')
    })

    test('it waits for queued writes', async (store) => {
      const write = store.write(set('a', 1))
      await store.close()
      expect((await write).ok).toBe(true)
    })

    test('it waits for what listeners write meanwhile', async (store) => {
      let echo: Promise<WriteOutcome> | undefined
      store.subscribe(([change]) => {
        if (change?.sequence === 1) echo = store.write(set('echo', 1))
      })
      const write = store.write(set('a', 1))
      await store.close()
      expect((await write).ok).toBe(true)
      expect((await echo)?.ok).toBe(true)
      expect(await failure(() => store.write(set('b', 1)))).toBe('ERR_STORE_CLOSED')
    })

    test('everything after it fails', async (store) => {
      await store.close()
      await store.close()
      expect(await failure(() => store.snapshot())).toBe('ERR_STORE_CLOSED')
      expect(await failure(() => store.commit([]))).toBe('ERR_STORE_CLOSED')
      expect(await failure(() => store.write(set('a', 1)))).toBe('ERR_STORE_CLOSED')
      expect(await failure(() => store.stage())).toBe('ERR_STORE_CLOSED')
      expect(await failure(() => store.subscribe(() => undefined))).toBe('ERR_STORE_CLOSED')
    })

    test('an error of a closed store is a TreeError', async (store) => {
      await store.close()
      let error: unknown
      try {
        store.snapshot()
      } catch (thrown) {
        error = thrown
      }
      expect(error instanceof TreeError).toBe(true)
    })
  })
}
