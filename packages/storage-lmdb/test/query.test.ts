import { setImmediate } from 'node:timers/promises'
import { fromJson, parseJson } from '@elkyn/tree'
import type { TreeQuery, TreeStore } from '@elkyn/tree'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { compactTree, openTree } from '../src/index.ts'
import { IndexKeeper } from '../src/index-keeper.ts'
import { IndexTable } from '../src/index-table.ts'
import type { LmdbTreeStore } from '../src/store.ts'
import { openStore } from './open-store.ts'
import { at, reclaimed } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'

const users = at('/users')

/** Stages `count` users, each with a name, an age and, now and then, a city; on demand also with the age as priority. */
function fill(store: TreeStore, count: number, path = users, areRanked = false): void {
  const stager = store.stage({ path })
  stager.write(Buffer.from('{'))
  for (let index = 0; index < count; index++) {
    const city = index % 10 === 0 ? `,"at":{"city":"c${index % 7}"}` : ''
    const age = (index * 7919) % 1000
    const rank = areRanked ? `".priority":${age},` : ''
    const text = `"u${String(index).padStart(7, '0')}":{${rank}"name":"n","age":${age}${city}}`
    stager.write(Buffer.from(index === 0 ? text : `,${text}`))
  }
  stager.write(Buffer.from('}'))
  const [outcome] = store.commit([{ pairs: stager.end().map(({ value }) => ({ path, value })) }])
  if (outcome?.ok !== true) throw outcome?.error ?? new Error('Nothing was written')
}

function set(store: TreeStore, path: string, value: number | null): void {
  store.commit([{ pairs: [{ path: at(path), value }] }])
}

/** Asks again and again, and nothing of the store. */
async function indexReady(store: LmdbTreeStore): Promise<void> {
  while (store.indexes()[0]?.isReady !== true) await setImmediate()
}

/** Entries that a query reads, of whatever kind. */
function readsOf(store: LmdbTreeStore, query: TreeQuery): number {
  using snapshot = store.snapshot()
  // What is read once for each snapshot is no matter here.
  snapshot.kind(users)
  const before = store.entriesRead
  const result = snapshot.query(users, query)
  for (const _ of result.entries()) continue
  for (const _ of result.jsonBlocks() ?? []) continue
  return store.entriesRead - before
}

const missing = (index: string) =>
  expect.objectContaining({ code: 'ERR_INDEX_NOT_DEFINED', path: '/users', index })

describe('a query', () => {
  test('reads as much as it finds, however many children there are', async () => {
    const queries: TreeQuery[] = [
      { orderBy: 'age', limitToLast: 20 },
      { orderBy: 'age', limitToFirst: 20 },
      { orderBy: 'age', start: { value: 500 }, limitToFirst: 20 },
      { orderBy: 'age', start: { value: 700 }, reverse: true, limitToFirst: 20 },
      { orderBy: '$key', start: { value: 'u0000500' }, limitToFirst: 20 },
      { orderBy: '$key', limitToLast: 20 },
      { orderBy: '$priority', limitToLast: 20 },
      { orderBy: '$key', where: [{ field: 'at/city', op: '==', value: 'c3' }], limitToFirst: 10 },
    ]
    const reads: number[][] = []
    for (const count of [1000, 100_000]) {
      using folder = temporaryFolder()
      const indexes = { '/users': ['age', 'at/city'] }
      await using store = openStore({ path: folder.path, indexes, heldMaxBytes: 65_536 })
      fill(store, count)
      reads.push(queries.map((query) => readsOf(store, query)))
    }
    const [few, many] = reads
    expect(many).toEqual(few)
    // An entry and a row for each child, and some on the way.
    for (const read of many!) expect(read).toBeLessThanOrEqual(20 * 3 + 10)
  })

  test('reads as much by priority, where that is indexed', async () => {
    const queries: TreeQuery[] = [
      { orderBy: '$priority', limitToFirst: 20 },
      { orderBy: '$priority', limitToLast: 20 },
      { orderBy: '$priority', start: { value: 500 }, reverse: true, limitToFirst: 20 },
    ]
    const reads: number[][] = []
    for (const count of [1000, 20_000]) {
      using folder = temporaryFolder()
      const indexes = { '/users': ['$priority'] }
      await using store = openStore({ path: folder.path, indexes, heldMaxBytes: 65_536 })
      fill(store, count, users, true)
      reads.push(queries.map((query) => readsOf(store, query)))
    }
    const [few, many] = reads
    expect(many).toEqual(few)
    for (const read of many!) expect(read).toBeLessThanOrEqual(20 * 3 + 10)
  })

  test('counts without reading the children', async () => {
    using folder = temporaryFolder()
    await using store = openStore({
      path: folder.path,
      indexes: { '/users': ['age'] },
      heldMaxBytes: 65_536,
    })
    fill(store, 5000)
    using snapshot = store.snapshot()
    snapshot.kind(users)
    const before = store.entriesRead
    expect(snapshot.query(users, { orderBy: '$key' }).count()).toBe(5000)
    expect(snapshot.query(users, { orderBy: 'age' }).count()).toBe(5000)
    const some = { orderBy: 'age', start: { value: 100 }, end: { value: 199 } }
    expect(snapshot.query(users, some).count()).toBe(500)
    const where = [{ field: 'age', op: '<', value: 100 } as const]
    expect(snapshot.query(users, { orderBy: '$key', where }).count()).toBe(500)
    expect(store.entriesRead - before).toBeLessThan(10)
  })

  test('is refused without an index, and while that is being built', async () => {
    using folder = temporaryFolder()
    await using store = openStore({ path: folder.path, heldMaxBytes: 1024 })
    fill(store, 100)
    using before = store.snapshot()
    expect(() => before.query(users, { orderBy: 'age' })).toThrow(missing('age'))
    store.defineIndexes({ '/users': ['age'] })
    using during = store.snapshot()
    expect(store.indexes()).toEqual([{ place: '/users', field: 'age', isReady: false }])
    expect(() => during.query(users, { orderBy: 'age' })).toThrow(missing('age'))
    await store.indexesBuilt()
    // What was not complete then is not complete there now.
    expect(() => during.query(users, { orderBy: 'age' })).toThrow(missing('age'))
    using after = store.snapshot()
    expect(after.query(users, { orderBy: 'age', limitToLast: 1 }).count()).toBe(1)
    expect(() => after.query(at('/'), { orderBy: 'age' })).toThrow(
      expect.objectContaining({ code: 'ERR_INDEX_NOT_DEFINED', path: '/' }),
    )
  })

  test('looks at all children where the store requires no index', async () => {
    using folder = temporaryFolder()
    await using store = openStore({ path: folder.path, requireIndexes: false, heldMaxBytes: 1024 })
    fill(store, 100)
    using snapshot = store.snapshot()
    const oldest = [...snapshot.query(users, { orderBy: 'age', limitToLast: 1 }).entries()]
    expect(oldest).toEqual([{ key: 'u0000099', value: 981 }])
    const where = [{ field: 'at/city', op: '==', value: 'c3' } as const]
    expect(snapshot.query(users, { orderBy: '$key', where }).count()).toBe(2)
  })

  test('has pauses while it puts texts in order that begin the same', async () => {
    using folder = temporaryFolder()
    await using store = openStore({ path: folder.path, indexes: { '/texts': ['$value'] } })
    const begin = 'x'.repeat(1000)
    const texts = Object.fromEntries(
      Array.from({ length: 2000 }, (_, index) => [`k${index}`, `${begin}${(index * 7) % 2000}`]),
    )
    store.commit([{ pairs: [{ path: at('/texts'), value: fromJson(texts) }] }])
    using snapshot = store.snapshot()
    for (const reverse of [false, true]) {
      const result = snapshot.query(at('/texts'), {
        orderBy: '$value',
        start: { value: `${begin}5` },
        reverse,
      })
      const steps = result.countSteps()
      let longest = 0
      let before = store.entriesRead
      let step = steps.next()
      for (; step.done !== true; step = steps.next()) {
        longest = Math.max(longest, store.entriesRead - before)
        before = store.entriesRead
      }
      const kept = Object.values(texts).filter((text) => text >= `${begin}5`)
      expect(step.value).toBe(kept.length)
      expect(longest).toBeLessThan(300)
      const inOrder = [...result.entries()].map(({ value }) => value)
      expect(inOrder).toEqual(reverse ? kept.toSorted().toReversed() : kept.toSorted())
    }
  })

  test('has pauses while it puts what an index found into another order', async () => {
    using folder = temporaryFolder()
    await using store = openStore({ path: folder.path, indexes: { '/users': ['age'] } })
    fill(store, 10_000, users, true)
    using snapshot = store.snapshot()
    const where = [{ field: 'age', op: '>=', value: 0 }] as const
    const steps = [...snapshot.query(users, { orderBy: '$priority', where }).pageSteps()]
    expect(steps.filter((entry) => entry !== undefined)).toHaveLength(10_000)
    // Beside those where the children are looked at.
    const pauses = steps.length - 10_000 - Math.floor(10_000 / 256)
    expect(pauses).toBeGreaterThan(10)
  })

  test('ends with its snapshot, also in the middle', async () => {
    using folder = temporaryFolder()
    await using store = openStore({
      path: folder.path,
      indexes: { '/users': ['age'] },
      heldMaxBytes: 1024,
    })
    fill(store, 100)
    const snapshot = store.snapshot()
    const entries = snapshot.query(users, { orderBy: 'age' }).entries()[Symbol.iterator]()
    expect(entries.next().done).toBe(false)
    snapshot.close()
    expect(() => entries.next()).toThrow(expect.objectContaining({ code: 'ERR_STORE_CLOSED' }))
  })
})

describe('an index', () => {
  test('is built while others write, and goes on after a restart', async () => {
    using folder = temporaryFolder()
    const { path } = folder
    const indexes = { '/users': ['age', '$value'] }
    const first = openStore({ path, heldMaxBytes: 1024 })
    fill(first, 300)
    first.defineIndexes(indexes)
    // Some turns: nowhere near the end.
    for (let turn = 0; turn < 20; turn++) {
      await setImmediate()
      const pair = { path: at(`/users/u${String(turn * 13).padStart(7, '0')}/age`), value: -turn }
      first.commit([{ pairs: [pair] }])
    }
    expect(first.indexes().some(({ isReady }) => isReady)).toBe(false)
    const { indexEntries } = first.stats()
    expect(indexEntries).toBeGreaterThan(20)
    await first.close()
    await using second = openStore({ path, indexes })
    expect(second.stats().indexEntries).toBe(indexEntries)
    await second.indexesBuilt()
    expect(second.indexes().every(({ isReady }) => isReady)).toBe(true)
    expect(second.stats().indexEntries).toBe(600)
    using snapshot = second.snapshot()
    const least = snapshot.query(users, { orderBy: 'age', limitToFirst: 2 })
    expect([...least.entries()]).toEqual([
      { key: 'u0000247', value: -19 },
      { key: 'u0000234', value: -18 },
    ])
  })

  test('waits for room where the data has reached maxBytes', async () => {
    using folder = temporaryFolder()
    const { path } = folder
    const first = openStore({ path, heldMaxBytes: 1024 })
    fill(first, 100)
    await first.close()
    const full = openStore({ path, maxBytes: 1, indexes: { '/users': ['age'] } })
    for (let turn = 0; turn < 5; turn++) {
      await setImmediate()
      // What deletes is still possible, and has it look again.
      full.commit([{ pairs: [{ path: at(`/users/u000000${turn}`), value: null }] }])
    }
    expect(full.stats().indexEntries).toBe(0)
    expect(full.indexes()).toEqual([{ place: '/users', field: 'age', isReady: false }])
    await full.close()
    await using second = openStore({ path })
    await second.indexesBuilt()
    expect(second.stats().indexEntries).toBe(95)
  })

  test('that can not be built says so to all who ask, once to a writer, and is not tried again unasked', async () => {
    using folder = temporaryFolder()
    await using store = openStore({ path: folder.path, heldMaxBytes: 1024 })
    fill(store, 100)
    const fault = new TypeError('a fault')
    const put = vi.spyOn(IndexTable.prototype, 'put').mockImplementation(() => {
      throw fault
    })
    onTestFinished(() => put.mockRestore())
    const failed = expect.objectContaining({ code: 'ERR_INDEX_FAILED', cause: fault })
    store.defineIndexes({ '/users': ['age'] })
    await expect(store.indexesBuilt()).rejects.toEqual(failed)
    await expect(store.indexesBuilt()).rejects.toEqual(failed)
    expect(() => readsOf(store, { orderBy: 'age' })).toThrow(failed)
    expect(() => readsOf(store, { orderBy: 'name' })).toThrow(missing('name'))
    await using reader = openStore({ path: folder.path, readOnly: true })
    const failedElsewhere = expect.objectContaining({ code: 'ERR_INDEX_FAILED' }) as unknown
    expect(() => readsOf(reader, { orderBy: 'age' })).toThrow(failedElsewhere)
    expect(() => readsOf(reader, { orderBy: 'name' })).toThrow(missing('name'))
    put.mockRestore()
    const write = [{ pairs: [{ path: at('/other'), value: 1 }] }]
    expect(() => store.commit(write)).toThrow(failed)
    store.commit(write)
    for (let turn = 0; turn < 3; turn++) await setImmediate()
    expect(store.indexes()).toEqual([{ place: '/users', field: 'age', isReady: false }])
    store.defineIndexes({ '/users': ['age'] })
    expect(() => readsOf(reader, { orderBy: 'age' })).toThrow(missing('age'))
    await store.indexesBuilt()
    expect(readsOf(store, { orderBy: 'age', limitToFirst: 1 })).toBeLessThan(10)
    expect(readsOf(reader, { orderBy: 'age', limitToFirst: 1 })).toBeLessThan(10)
  })

  test('is waited for by all who have the folder open, whoever builds it', async () => {
    using folder = temporaryFolder()
    await using store = openStore({ path: folder.path, heldMaxBytes: 1024 })
    fill(store, 100)
    await using reader = openStore({ path: folder.path, readOnly: true })
    await using other = openStore({ path: folder.path })
    await Promise.all([reader, other].map(async (one) => one.indexesBuilt()))
    store.defineIndexes({ '/users': ['age'] })
    const waiting = [reader, other].map(async (one) => {
      await one.indexesBuilt()
      return readsOf(one, { orderBy: 'age', limitToFirst: 1 })
    })
    for (const reads of await Promise.all(waiting)) expect(reads).toBeLessThan(10)
  })

  test.each([true, false])(
    'is built by another thread where the one that began has gone, whether that waits for it or not: %s',
    async (waits) => {
      using folder = temporaryFolder()
      await using other = openStore({ path: folder.path, heldMaxBytes: 1024 })
      fill(other, 100)
      const store = openStore({ path: folder.path })
      store.defineIndexes({ '/users': ['age'] })
      const waiting = waits ? other.indexesBuilt() : indexReady(other)
      await store.close()
      await waiting
      expect(readsOf(other, { orderBy: 'age', limitToFirst: 1 })).toBeLessThan(10)
    },
  )

  test('goes on when room was made, though nobody writes or listens', async () => {
    using folder = temporaryFolder()
    const { path } = folder
    const store = openStore({ path, heldMaxBytes: 1024 })
    fill(store, 1000)
    fill(store, 5000, at('/large'))
    const { fileBytes, freeBytes } = store.stats()
    await store.close()
    const maxBytes = fileBytes - freeBytes - 100_000
    await using full = openStore({ path, maxBytes, indexes: { '/users': ['age'] } })
    for (let turn = 0; turn < 10; turn++) await setImmediate()
    expect(full.indexes().map(({ isReady }) => isReady)).toEqual([false])
    set(full, '/large', null)
    await indexReady(full)
    expect(readsOf(full, { orderBy: 'age', limitToFirst: 1 })).toBeLessThan(10)
  })

  test('is waited for until another thread has made room', async () => {
    using folder = temporaryFolder()
    const { path } = folder
    await using other = openStore({ path, heldMaxBytes: 1024 })
    fill(other, 1000)
    fill(other, 5000, at('/large'))
    const { fileBytes, freeBytes } = other.stats()
    const maxBytes = fileBytes - freeBytes - 100_000
    await using full = openStore({ path, maxBytes, indexes: { '/users': ['age'] } })
    const waiting = full.indexesBuilt()
    for (let turn = 0; turn < 10; turn++) await setImmediate()
    expect(full.indexes().map(({ isReady }) => isReady)).toEqual([false])
    const work = vi.spyOn(IndexKeeper.prototype, 'work')
    onTestFinished(() => work.mockRestore())
    set(other, '/nothing', null)
    for (let turn = 0; turn < 200; turn++) await setImmediate()
    expect(work.mock.calls.length).toBeLessThan(3)
    set(other, '/large', null)
    await reclaimed(other)
    for (let number = 0; number < 3; number++) set(other, '/other', number)
    await waiting
    expect(full.indexes().map(({ isReady }) => isReady)).toEqual([true])
  })

  test('that nobody builds any more is waited for by nobody', async () => {
    using folder = temporaryFolder()
    await using store = openStore({ path: folder.path, heldMaxBytes: 1024 })
    fill(store, 100)
    await using reader = openStore({ path: folder.path, readOnly: true })
    const closed = openStore({ path: folder.path, readOnly: true })
    const put = vi.spyOn(IndexTable.prototype, 'put').mockImplementation(() => {
      throw new TypeError('a fault')
    })
    onTestFinished(() => put.mockRestore())
    store.defineIndexes({ '/users': ['age'] })
    const failed = expect.objectContaining({ code: 'ERR_INDEX_FAILED' }) as unknown
    const waiting = Promise.allSettled([reader.indexesBuilt(), closed.indexesBuilt()])
    await closed.close()
    expect(await waiting).toEqual([
      { status: 'rejected', reason: failed },
      { status: 'fulfilled', value: undefined },
    ])
    await expect(reader.indexesBuilt()).rejects.toEqual(failed)
  })

  test('is built where there is room again on the disk', async () => {
    using folder = temporaryFolder()
    await using store = openStore({ path: folder.path, heldMaxBytes: 1024 })
    fill(store, 100)
    const put = vi.spyOn(IndexTable.prototype, 'put').mockImplementation(() => {
      throw Object.assign(new Error('No space left on device'), { code: 28 })
    })
    onTestFinished(() => put.mockRestore())
    store.defineIndexes({ '/users': ['age'] })
    for (let turn = 0; turn < 3; turn++) await setImmediate()
    expect(() => readsOf(store, { orderBy: 'age' })).toThrow(missing('age'))
    put.mockRestore()
    store.commit([{ pairs: [{ path: at('/other'), value: 1 }] }])
    await store.indexesBuilt()
    expect(store.indexes()).toEqual([{ place: '/users', field: 'age', isReady: true }])
  })

  test('is ready at once where there is nothing to build it from', async () => {
    using folder = temporaryFolder()
    await using store = openStore({ path: folder.path, indexes: { '/users': ['age'] } })
    expect(store.indexes()).toEqual([{ place: '/users', field: 'age', isReady: true }])
  })

  test('stays when nobody says anything of indexes', async () => {
    using folder = temporaryFolder()
    const { path } = folder
    const first = openStore({ path, indexes: { '/users': ['age'] }, heldMaxBytes: 1024 })
    fill(first, 50)
    await first.close()
    await using second = openStore({ path, heldMaxBytes: 1024 })
    second.commit([{ pairs: [{ path: at('/users/u0000007/age'), value: 9999 }] }])
    using snapshot = second.snapshot()
    const oldest = snapshot.query(users, { orderBy: 'age', limitToLast: 1 })
    expect([...oldest.entries()]).toEqual([{ key: 'u0000007', value: 9999 }])
  })

  test('that is not named any more goes, and its space with it', async () => {
    using folder = temporaryFolder()
    const { path } = folder
    const first = openStore({ path, indexes: { '/*': ['age', 'name'] }, heldMaxBytes: 1024 })
    fill(first, 200)
    fill(first, 100, at('/guests'))
    expect(first.stats().indexEntries).toBe(600)
    await first.close()
    await using second = openStore({ path, indexes: { '/$room': ['age'] } })
    using snapshot = second.snapshot()
    expect(() => snapshot.query(users, { orderBy: 'name' })).toThrow(missing('name'))
    await second.indexesBuilt()
    expect(second.stats().indexEntries).toBe(300)
    second.defineIndexes({})
    await second.indexesBuilt()
    expect(second.stats().indexEntries).toBe(0)
  })

  test('that is dropped leaves its pages to whatever is written next', async () => {
    using folder = temporaryFolder()
    const settings = { heldMaxBytes: 65_536, indexStepsATurn: 1000 }
    await using store = openStore({ path: folder.path, ...settings })
    fill(store, 20_000)
    const used = () => store.stats().fileBytes - store.stats().freeBytes
    const without = used()
    store.defineIndexes({ '/users': ['age', 'name'] })
    await store.indexesBuilt()
    const withIndexes = used()
    expect(withIndexes - without).toBeGreaterThan(20_000 * 2 * 30)
    store.defineIndexes({})
    await store.indexesBuilt()
    // But for the list of free pages itself, and some that a table keeps.
    expect(used() - without).toBeLessThan((withIndexes - without) / 10)
    const { fileBytes } = store.stats()
    fill(store, 10_000, at('/guests'))
    // Half a megabyte, in place of what the indexes had.
    expect(store.stats().fileBytes - fileBytes).toBeLessThan(100_000)
  })

  test('serves readers that opened the folder before it was there', async () => {
    using folder = temporaryFolder()
    const { path } = folder
    await using writer = openStore({ path, heldMaxBytes: 1024 })
    fill(writer, 50)
    await using reader = openStore({ path, readOnly: true })
    writer.defineIndexes({ '/users': ['age'] })
    {
      using snapshot = reader.snapshot()
      expect(() => snapshot.query(users, { orderBy: 'age' })).toThrow(missing('age'))
    }
    await writer.indexesBuilt()
    using snapshot = reader.snapshot()
    const oldest = snapshot.query(users, { orderBy: 'age', limitToLast: 1 })
    expect([...oldest.entries()]).toEqual([{ key: 'u0000025', value: 975 }])
    expect(reader.indexes()).toEqual([{ place: '/users', field: 'age', isReady: true }])
  })

  test('comes and goes with the values that it is about', async () => {
    using folder = temporaryFolder()
    await using store = openStore({
      path: folder.path,
      indexes: { '/users': ['age'] },
      heldMaxBytes: 1024,
    })
    fill(store, 200)
    expect(store.stats().indexEntries).toBe(200)
    store.commit([{ pairs: [{ path: users, value: parseJson('{"a":{"age":1}}') }] }])
    expect((await reclaimed(store)).indexEntries).toBe(0)
  })

  test('goes along into a backup and a compacted file', async () => {
    using folder = temporaryFolder()
    using copy = temporaryFolder()
    const { path } = folder
    const indexes = { '/users': ['age'] }
    const oldest = { orderBy: 'age', limitToLast: 1 } as const
    const expectOldest = async (where: string) => {
      await using tree = await openTree({ path: where })
      using snapshot = tree.store.snapshot()
      const result = snapshot.query(users, oldest)
      expect([...result.entries()]).toEqual([{ key: 'u0000317', value: 323 }])
    }
    {
      await using tree = await openTree({ path, indexes, durability: 'relaxed' })
      fill(tree.store, 1000)
      const pairs = [{ path: at('/users'), value: null }]
      tree.store.commit([{ pairs }])
      fill(tree.store, 1000)
      for (let index = 0; index < 1000; index++) {
        if ((index * 7919) % 1000 > 323) {
          tree.deleteSync(`/users/u${String(index).padStart(7, '0')}`)
        }
      }
      await tree.backup(copy.path)
    }
    await expectOldest(copy.path)
    await compactTree({ path })
    await expectOldest(path)
  })

  test('is refused where values are sealed', async () => {
    using folder = temporaryFolder()
    const encryptionKey = Buffer.alloc(32, 'key')
    const options = { path: folder.path, encryptionKey }
    await expect(openTree({ ...options, indexes: { '/users': ['age'] } })).rejects.toThrow(
      TypeError,
    )
    const store = openStore({ ...options, requireIndexes: false })
    expect(() => store.defineIndexes({ '/users': ['age'] })).toThrow(TypeError)
    store.commit([{ pairs: [{ path: users, value: parseJson('{"a":{"age":1}}') }] }])
    using snapshot = store.snapshot()
    expect(snapshot.query(users, { orderBy: 'age' }).count()).toBe(1)
    snapshot.close()
    await store.close()
  })
})
