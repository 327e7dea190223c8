import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { openTree } from '@elkyn/storage-lmdb'
import type { OpenTreeOptions } from '@elkyn/storage-lmdb'
import { MemoryTreeStore, TreeValue, fromJson, parsePath } from '@elkyn/tree'
import type { ChangeCursor, TreeSnapshot, TreeStore } from '@elkyn/tree'
import { expect, test, vi } from 'vitest'
import { inSlices } from '../steps.ts'
import { TimeSlice } from '../time-slice.ts'
import { openWhole, streamJobSteps } from './stream-job.ts'
import type { StreamJob, StreamResult } from './stream-job.ts'
import type { StreamTarget } from './stream-target.ts'

async function opened(options: Omit<OpenTreeOptions, 'path'> = {}) {
  const path = await mkdtemp(join(tmpdir(), 'elkyn-stream-job-'))
  const tree = await openTree({ path, ...options })
  return {
    store: tree.store,
    [Symbol.asyncDispose]: async () => {
      await tree.close()
      await rm(path, { recursive: true })
    },
  }
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Ends when no more memory of buffers is held, which is freed some time behind a collection, in another thread. */
async function heldAtMost(bytes: number): Promise<void> {
  do {
    collect()
    await setImmediate()
  } while (process.memoryUsage().arrayBuffers > bytes)
}

// What is as it was before would be no change.
let written = 0

/** @returns the id of the last change. */
function put(store: TreeStore, path: string, count = 1): string {
  const place = parsePath(path, { priority: true })
  const writes = Array.from({ length: count }, () => {
    return { pairs: [{ path: place, value: fromJson(++written) }] }
  })
  store.commit(writes)
  const snapshot = store.snapshot()
  const id = store.idOf(snapshot.sequence)
  snapshot.close()
  return id!
}

function run(store: TreeStore, job: StreamJob): Promise<StreamResult> {
  return inSlices(streamJobSteps(store, job), new TimeSlice(Infinity))
}

const query: StreamTarget = {
  path: parsePath('/q'),
  shownPath: parsePath('/q'),
  form: 'plain',
  query: { query: { orderBy: '$key' }, shape: 'value' },
}

test('who watches a query is told nothing when much has changed elsewhere, and then what has changed there', async () => {
  await using at = await opened()
  const { store } = at
  let since = put(store, '/q/a')
  put(store, '/p', 2500)
  for (const [path, isTold] of [
    ['/q2', false],
    ['/r/q', false],
    ['/r/.priority', false],
    ['/q/a', true],
    ['/q/a/.priority', true],
    ['/q/.priority', true],
    ['/q', true],
    ['/', true],
  ] as const) {
    put(store, '/p', 10)
    const last = put(store, path)
    const { events, isWhole, id } = await run(store, { target: query, since })
    expect([path, events.length, isWhole, id]).toEqual([path, isTold ? 1 : 0, isTold, last])
    since = last
  }
})

test('who watches a query is told it anew when too much has changed there to look through', async () => {
  await using at = await opened()
  const { store } = at
  const job = { target: query, known: { keys: Buffer.from('a\n') }, since: put(store, '/q/a') }
  put(store, '/q/a', 1000)
  expect(await run(store, job)).toMatchObject({ isWhole: false })
  put(store, '/q/a', 1500)
  expect(await run(store, job)).toMatchObject({ isWhole: true })
})

test('only what the log does not reach back to is lost, not what it does not carry', async () => {
  await using at = await opened()
  const { store } = at
  const since = put(store, '/q/a')
  const large = fromJson('x'.repeat(1_500_000))
  store.commit([{ pairs: [{ path: parsePath('/q/b'), value: large }] }])
  for (const target of [query, followed]) {
    expect(await run(store, { target, since })).toMatchObject({ isWhole: true, isLost: false })
    const job = { target, since: 'elsewhere-1-1' }
    expect(await run(store, job)).toMatchObject({ isWhole: true, isLost: true })
  }
})

/** A store with so many children that they are not looked at in one step, and the only snapshot of it. */
function wide(): { readonly store: TreeStore; readonly snapshot: TreeSnapshot } {
  const store = new MemoryTreeStore()
  const children = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [index, 1]))
  store.commit([{ pairs: [{ path: parsePath('/q'), value: fromJson(children) }] }])
  const snapshot = store.snapshot()
  vi.spyOn(store, 'snapshot').mockReturnValue(snapshot)
  return { store, snapshot }
}

const least = 10_000 / 300

test.each(['value', 'count', 'page'] as const)(
  'queries that are watched for their %s pause where many children are looked at',
  (shape) => {
    const { store, snapshot } = wide()
    const target = { ...query, query: { ...query.query!, shape } }
    const pauses = [...streamJobSteps(store, { target })]
    expect(pauses.length).toBeGreaterThan(least)
    expect(() => snapshot.kind(query.path)).toThrow('closed')
  },
)

test('what is given up in a pause lets go of its snapshot', () => {
  for (const begin of [
    (store: TreeStore) => streamJobSteps(store, { target: query }),
    (store: TreeStore) => openWhole(store, query, () => []),
  ]) {
    const { store, snapshot } = wide()
    const steps = begin(store)
    expect(steps.next().done).toBe(false)
    steps.return(undefined as never)
    expect(() => snapshot.kind(query.path)).toThrow('closed')
  }
})

const { query: _query, ...followed } = query
const valued: StreamTarget = { ...followed, isValue: true }
const exported: StreamTarget = { ...followed, form: 'export' }
const first: StreamTarget = {
  ...query,
  query: { query: { orderBy: '$key', limitToFirst: 1 }, shape: 'value' },
}

/** Writes a value of about a million bytes, another one each time. */
function putLarge(store: TreeStore, path: string, count: number): void {
  for (let index = 0; index < count; index++) {
    const value = fromJson(`${++written}${'x'.repeat(1_000_000)}`)
    store.commit([{ pairs: [{ path: parsePath(path), value }] }])
  }
}

/** Counts the changes that are read one by one. */
function readsOf(store: TreeStore): { count: number } {
  const reads = { count: 0 }
  const begin = store.cursorFrom!.bind(store)
  const counted = (cursor: ChangeCursor): ChangeCursor => {
    return new Proxy(cursor, {
      get(_, name) {
        if (name === 'change') reads.count++
        const value: unknown = Reflect.get(cursor, name)
        return typeof value === 'function' ? value.bind(cursor) : value
      },
    })
  }
  vi.spyOn(store, 'cursorFrom').mockImplementation((id) => counted(begin(id)))
  return reads
}

test.each([
  ['events one by one', followed, undefined],
  ['framed events', followed, 1000],
  ['framed events with priorities', exported, 1000],
  ['a query', query, undefined],
  ['a value', valued, undefined],
])('of what has changed elsewhere nothing is read for %s', async (_, target, framedBytes) => {
  await using at = await opened()
  const { store } = at
  const since = put(store, '/q/a')
  put(store, '/p', 50)
  const reads = readsOf(store)
  const { events, isWhole } = await run(store, {
    target,
    since,
    ...(framedBytes && { framedBytes }),
  })
  expect([events, isWhole]).toEqual([[], false])
  expect(reads.count).toBe(0)
})

test('an update elsewhere is not looked through', async () => {
  const store = new MemoryTreeStore()
  const since = put(store, '/q/a')
  store.commit([
    { pairs: [{ path: parsePath('/p/a'), value: fromJson(1) }], update: parsePath('/p') },
  ])
  const [, update] = store.changesFrom(since)
  const pairs = vi.spyOn(update!, 'pairs', 'get')
  for (const target of [followed, query]) {
    expect((await run(store, { target, since })).events).toEqual([])
  }
  expect(pairs).not.toHaveBeenCalled()
})

test('of a value that is told whole no more changes are read than one that concerns it', async () => {
  await using at = await opened()
  const { store } = at
  const since = put(store, '/q/a')
  put(store, '/q/a', 50)
  const reads = readsOf(store)
  expect(await run(store, { target: valued, since })).toMatchObject({ isWhole: true })
  expect(reads.count).toBe(1)
})

test('who watches a query is told it anew when changes of more than some MiB concern it', async () => {
  await using at = await opened()
  const { store } = at
  const job = { target: first, known: { keys: Buffer.from('a\n') }, since: put(store, '/q/a') }
  putLarge(store, '/q/b', 3)
  expect(await run(store, job)).toMatchObject({ isWhole: false, events: [] })
  putLarge(store, '/q/b', 3)
  expect(await run(store, job)).toMatchObject({ isWhole: true })
})

test.each([
  ['events one by one', followed, undefined],
  ['framed events', followed, 100_000_000],
  ['a query', query, undefined],
])('large changes are gone through with pauses for %s', async (_, target, framedBytes) => {
  await using at = await opened()
  const { store } = at
  const since = put(store, '/q/a')
  putLarge(store, '/p', 6)
  const last = put(store, '/q/a')
  const known = { keys: Buffer.from('a\n') }
  const job = { target, since, known, ...(framedBytes && { framedBytes }) }
  const expected = await run(store, job)
  expect(expected).toMatchObject({ isWhole: false, id: last })
  const steps = streamJobSteps(store, job)
  let pauses = 0
  let step = steps.next()
  for (; step.done !== true; step = steps.next()) {
    pauses++
    // Others read and write meanwhile.
    expect([...store.changesFrom(since)].length).toBeGreaterThan(7)
    put(store, '/p')
  }
  expect(pauses).toBeGreaterThanOrEqual(3)
  expect([step.value.events, step.value.framed]).toEqual([expected.events, expected.framed])
})

test('a result has its id though the log does not reach back to it any more after a pause', async () => {
  await using at = await opened({ log: { maxBytes: 5_000_000 } })
  const { store } = at
  const since = put(store, '/q/a')
  putLarge(store, '/p', 3)
  const last = put(store, '/q/a')
  const steps = streamJobSteps(store, { target: query, since, known: { keys: Buffer.from('a\n') } })
  expect(steps.next().done).toBe(false)
  putLarge(store, '/p', 10)
  expect([...store.changesFrom(last)]).toEqual([])
  let step = steps.next()
  while (step.done !== true) step = steps.next()
  expect(step.value).toMatchObject({ id: last, isWhole: false })
})

test.each([
  ['as they are', undefined],
  ['sealed', Buffer.alloc(32, 'key')],
])(
  'what pauses behind large changes holds none of them in memory, where they are logged %s',
  async (_, encryptionKey) => {
    await using at = await opened(encryptionKey && { encryptionKey })
    const { store } = at
    const since = put(store, '/q/a')
    putUpdate(store, '/p', 13_000)
    putUpdate(store, '/p', 13_000)
    const last = put(store, '/q/a')
    const known = { keys: Buffer.from('a\n') }
    for (const target of [followed, exported, query, valued]) {
      const jobs = Array.from({ length: 4 }, () => streamJobSteps(store, { target, since, known }))
      collect()
      const before = process.memoryUsage().arrayBuffers
      for (let pauses = 0; pauses < 2; pauses++) {
        for (const job of jobs) expect(job.next().done).toBe(false)
        // One of the two changes has more than 9 MB.
        await heldAtMost(before + 4_000_000)
      }
      for (const job of jobs) {
        let step = job.next()
        while (step.done !== true) step = job.next()
        expect(step.value).toMatchObject({ id: last, isWhole: target === valued })
      }
    }
  },
)

/** Writes so many times what is large at one place and what is small at another one. */
function putBoth(store: TreeStore, large: string, small: string, count: number): void {
  const writes = Array.from({ length: count }, () => {
    const value = fromJson(`${++written}${'x'.repeat(15_000)}`)
    return [
      { pairs: [{ path: parsePath(large), value }] },
      { pairs: [{ path: parsePath(small), value: fromJson(written) }] },
    ]
  })
  store.commit(writes.flat())
}

test('of small changes that concern a query not that is held which came with them', async () => {
  await using at = await opened()
  const { store } = at
  const since = put(store, '/q/a')
  const known = { keys: Buffer.from('a\n') }
  putBoth(store, '/p', '/q/a', 600)
  const job = streamJobSteps(store, { target: query, since, known })
  collect()
  const before = process.memoryUsage().arrayBuffers
  for (let pauses = 0; pauses < 6; pauses++) expect(job.next().done).toBe(false)
  await heldAtMost(before + 2_000_000)
  let step = job.next()
  while (step.done !== true) step = job.next()
  expect(step.value).toMatchObject({ isWhole: false })
})

test.each([
  ['events one by one', followed, undefined],
  ['framed events', followed, 1000],
  ['a query', query, undefined],
])('a pause counts all that is passed over, for %s', async (_, target, framedBytes) => {
  await using at = await opened()
  const { store } = at
  const since = put(store, '/q/a')
  putBoth(store, '/p', '/p2', 400)
  const known = { keys: Buffer.from('a\n') }
  const job = { target, since, known, ...(framedBytes && { framedBytes }) }
  expect([...streamJobSteps(store, job)].length).toBeGreaterThanOrEqual(4)
})

test('what is given up among large changes lets go of what it reads from', async () => {
  await using at = await opened()
  const { store } = at
  const since = put(store, '/q/a')
  putLarge(store, '/p', 3)
  for (const target of [followed, query]) {
    const steps = streamJobSteps(store, { target, since })
    expect(steps.next().done).toBe(false)
    const held = store.stats!().snapshots!
    expect(held).toBeGreaterThan(0)
    steps.return(undefined as never)
    store.idle()
    expect(store.stats!().snapshots).toBeLessThan(held)
  }
})

/** Writes so many children of a place as one update, of that or of a place above, each with a long key. */
function putUpdate(store: TreeStore, path: string, count: number, update = path): void {
  written++
  const pairs = Array.from({ length: count }, (_, index) => {
    return { path: parsePath(`${path}/${'k'.repeat(700)}${index}`), value: fromJson(written) }
  })
  store.commit([{ pairs, update: parsePath(update) }])
}

test.each([
  ['events one by one', undefined],
  ['framed events', 1000],
])(
  'a change with more than may be told is told by the whole value, for %s',
  async (_, framedBytes) => {
    await using at = await opened()
    const { store } = at
    const job = { target: followed, ...(framedBytes && { framedBytes }) }
    const before = put(store, '/q/a')
    putUpdate(store, '/q', 2000)
    const told = await run(store, { ...job, since: before })
    expect([told.isWhole, told.events.length + (told.framed?.count ?? 0)]).toEqual([false, 1])
    putUpdate(store, '/q', 4000)
    const whole = await run(store, { ...job, since: told.id })
    expect(whole).toMatchObject({ isWhole: true, isLost: false, isLarge: true })
    const { sequence } = whole
    expect(await run(store, { ...job, since: whole.id })).toMatchObject({
      isWhole: false,
      sequence,
    })
  },
)

test('several puts of a change are not told either where they are too long together', async () => {
  const store = new MemoryTreeStore()
  const since = put(store, '/q/a')
  const value = fromJson('x'.repeat(1_500_000))
  const pairs = ['/q/b/c', '/q/d'].map((path) => ({ path: parsePath(path), value }))
  store.commit([{ pairs }])
  expect(await run(store, { target: followed, since })).toMatchObject({ isWhole: true })
  const target = { ...followed, path: parsePath('/q/d') }
  expect(await run(store, { target, since })).toMatchObject({ isWhole: false })
})

test('a change of many MiB is not read, be it elsewhere or not', async () => {
  await using at = await opened()
  const { store } = at
  const since = put(store, '/q/a')
  putUpdate(store, '/p', 13_000)
  const read = vi.spyOn(TreeValue, 'fromCanonical')
  const known = { keys: Buffer.from('a\n') }
  for (const target of [followed, first]) {
    expect(await run(store, { target, known, since })).toMatchObject({ isWhole: false, events: [] })
  }
  putUpdate(store, '/p', 13_000, '/')
  read.mockClear()
  for (const target of [followed, exported, first]) {
    expect(await run(store, { target, known, since })).toMatchObject({ isWhole: false, events: [] })
  }
  expect(read.mock.calls.length).toBeLessThan(100)
  putUpdate(store, '/q', 13_000)
  read.mockClear()
  expect(await run(store, { target: followed, since })).toMatchObject({ isWhole: true })
  expect(read).not.toHaveBeenCalled()
  expect(await run(store, { target: first, known, since })).toMatchObject({ isWhole: true })
  expect(read.mock.calls.length).toBeLessThan(100)
  read.mockRestore()
})
