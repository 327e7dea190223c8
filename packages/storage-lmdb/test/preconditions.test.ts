import { setImmediate } from 'node:timers/promises'
import { fromJson } from '@elkyn/tree'
import type { TreeStore, TreeWrite, WriteOutcome } from '@elkyn/tree'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Head } from '../src/entry.ts'
import { LogEntry } from '../src/log-entry.ts'
import { ROOT_NAME, TOP_HEAD } from '../src/place.ts'
import { ReadSnapshot } from '../src/read-snapshot.ts'
import { Sealer } from '../src/sealer.ts'
import type { LmdbTreeStore } from '../src/store.ts'
import { openLmdb } from './open-lmdb.ts'
import { openStore } from './open-store.ts'
import { at, read } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Texts that take some turns to digest. */
const texts = Array.from({ length: 60_000 }, (_, index) => `text number ${index} of many`)
const large = fromJson({ texts })

function set(path: string, value: unknown): TreeWrite {
  return { pairs: [{ path: at(path), value: fromJson(value) }] }
}

function etag(store: TreeStore, path: string): string {
  using snapshot = store.snapshot()
  return snapshot.etag(at(path))
}

function openLarge(path: string, log?: { maxBytes: number }): LmdbTreeStore {
  const store = openStore({ path, ...(log === undefined ? {} : { log }) })
  store.commit([{ pairs: [{ path: at('/p/large'), value: large }] }])
  return store
}

function code(outcome: WriteOutcome): unknown {
  return outcome.ok ? undefined : 'code' in outcome.error && outcome.error.code
}

function accepted(outcomes: readonly WriteOutcome[]): void {
  expect(outcomes.map(code)).toEqual(outcomes.map(() => undefined))
}

/** Whether a promise was settled before the next turn of the event loop ended. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => true), setImmediate(false)])
}

test('others write while a large value is compared', async () => {
  using folder = temporaryFolder()
  await using store = openLarge(folder.path)
  const order: string[] = []
  const precondition = { path: at('/p/large'), etag: etag(store, '/p/large') }
  const compared = store.write({ ...set('/a', 1), precondition }).then((outcome) => {
    order.push('compared')
    return outcome
  })
  for (let index = 0; index < 3; index++) {
    await setImmediate()
    await store.write(set('/b', index))
    order.push('other')
  }
  expect(code(await compared)).toBe(undefined)
  expect(order).toEqual(['other', 'other', 'other', 'compared'])
})

test('one long text is compared like any other large value, and not handed back', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path })
  store.commit([set('/text', 'x'.repeat(1000))])
  const right = { path: at('/text'), etag: etag(store, '/text') }
  expect(await store.write({ ...set('/a', 1), precondition: right })).toMatchObject({ ok: true })
  const wrong = await store.write({ ...set('/a', 2), precondition: { ...right, etag: 'x' } })
  expect(code(wrong)).toBe('ERR_CONDITION_FAILED')
  expect(wrong).not.toHaveProperty('current')
})

test('one long text is read once for all writes of a batch, as long as none of them changes it', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path, rowMaxBytes: 100 })
  accepted(store.commit([set('/text', 'x'.repeat(1000))]))
  using snapshot = store.snapshot()
  const { sequence } = snapshot
  const text = { path: at('/text'), etag: snapshot.etag(at('/text')) }
  const precondition = { ...text, known: { etag: text.etag, sequence } }
  const before = store.entriesRead
  const others = Array.from({ length: 100 }, (_, index) => set('/a', index))
  accepted(store.commit(others.flatMap((write) => [write, { ...write, precondition }])))
  expect(store.entriesRead - before).toBeLessThan(10)
  const changed = store.commit([
    { ...set('/a', 1), precondition },
    set('/text', 'short'),
    { ...set('/a', 2), precondition: { path: at('/text'), etag: text.etag } },
  ])
  expect(changed.map(code)).toEqual([undefined, undefined, 'ERR_CONDITION_FAILED'])
  expect(changed[2]).toHaveProperty('current')
})

test('for many conditions on large values the log is read once, and says what it says for one', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path })
  const text = 'x'.repeat(1000)
  accepted(store.commit([set('/', { p: { same: text, within: { text } }, q: { above: text } })]))
  const preconditions = ['/p/same', '/p/within', '/q/above'].map((path) => {
    using snapshot = store.snapshot()
    const tag = snapshot.etag(at(path))
    return { path: at(path), etag: tag, known: { etag: tag, sequence: snapshot.sequence } }
  })
  const others = Array.from({ length: 200 }, (_, index) => `/z/k${index}`)
  accepted(store.commit([{ pairs: others.map((path) => ({ path: at(path), value: 1 })) }]))
  accepted(store.commit([set('/p/within/text', 'y'.repeat(1000))]))
  accepted(store.commit([set('/q', { above: text, other: 1 })]))
  const looked = vi.spyOn(LogEntry.prototype, 'bearing')
  const added = vi.spyOn(LogEntry.prototype, 'addPathsTo')
  onTestFinished(() => {
    vi.restoreAllMocks()
  })
  const conditioned = others.flatMap((path) =>
    preconditions.map((precondition) => ({ pairs: set(path, 2).pairs, precondition })),
  )
  const changed = set('/p/same/text', 1)
  const outcomes = store.commit([...conditioned, changed, ...conditioned]).map(code)
  const [failed, stale] = ['ERR_CONDITION_FAILED', 'ERR_CONDITION_STALE']
  expect(outcomes).toEqual([
    ...others.flatMap(() => [undefined, failed, stale]),
    undefined,
    ...others.flatMap(() => [failed, failed, stale]),
  ])
  const entries = 3
  expect(looked.mock.calls.length + added.mock.calls.length).toBe(entries)
})

test.each(['younger', 'older'])(
  'each condition on a large value counts the changes since it was known, the %s first',
  async (first) => {
    using folder = temporaryFolder()
    await using store = openStore({ path: folder.path })
    const long = Array.from({ length: 4 }, (_, index) => `${index} `.repeat(1000))
    accepted(store.commit([set('/', { texts: long })]))
    // The change with number n + 2 is that of text n.
    for (const [index, text] of long.entries()) {
      accepted(store.commit([set(`/texts/${index}`, `${text}!`)]))
    }
    const cases = [1, 2, 3, 4, 5].flatMap((sequence) => {
      return long.map((_, index) => ({ sequence, index, isChanged: index + 2 > sequence }))
    })
    if (first === 'younger') cases.reverse()
    const writes = cases.map(({ sequence, index }) => {
      const tag = etag(store, `/texts/${index}`)
      const precondition = {
        path: at(`/texts/${index}`),
        etag: tag,
        known: { etag: tag, sequence },
      }
      return { ...set('/a', sequence), precondition }
    })
    const expected = cases.map(({ isChanged }) => (isChanged ? 'ERR_CONDITION_FAILED' : undefined))
    expect(store.commit(writes).map(code)).toEqual(expected)
  },
)

test('what the log has dropped counts as unknown, also between conditions that know more', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path, log: { maxBytes: 0 } })
  const text = 'x'.repeat(1000)
  const known = (path: string) => {
    using snapshot = store.snapshot()
    const tag = snapshot.etag(at(path))
    return { path: at(path), etag: tag, known: { etag: tag, sequence: snapshot.sequence } }
  }
  accepted(store.commit([set('/', { text, other: text })]))
  const old = known('/text')
  accepted(store.commit([set('/text', `changed ${text}`)]))
  const younger = known('/other')
  // The only change that the log still has.
  accepted(store.commit([set('/a', 1)]))
  const stale = { ...set('/text', 'lost'), precondition: old }
  expect(store.commit([stale]).map(code)).toEqual(['ERR_CONDITION_STALE'])
  const others = Array.from({ length: 10 }, (_, index) => ({
    ...set('/b', index),
    precondition: younger,
  }))
  const outcomes = store.commit([...others, stale, ...others]).map(code)
  const fine = others.map(() => undefined)
  expect(outcomes).toEqual([...fine, 'ERR_CONDITION_STALE', ...fine])
  expect(read(store, '/text')).toContain('changed')
})

test('a large value that changes while it is compared is not what was expected', async () => {
  using folder = temporaryFolder()
  await using store = openLarge(folder.path)
  const precondition = { path: at('/p/large'), etag: etag(store, '/p/large') }
  const compared = store.write({ ...set('/a', 1), precondition })
  for (let index = 0; !(await isSettled(compared)); index++) {
    store.commit([set('/p/large/texts/7', index)])
  }
  const outcome = await compared
  expect(code(outcome)).toBe('ERR_CONDITION_FAILED')
  expect(outcome).not.toHaveProperty('current')
  expect(read(store, '/a')).toBe(undefined)
})

test('a large value that is put back again and again is compared in the end', async () => {
  using folder = temporaryFolder()
  await using store = openLarge(folder.path)
  const precondition = { path: at('/p/large'), etag: etag(store, '/p/large') }
  const compared = store.write({ ...set('/a', 1), precondition })
  for (let turn = 0; !(await isSettled(compared)); turn++) {
    if (turn % 20 === 0) store.commit([set('/p', { large: { texts }, turn })])
  }
  expect(code(await compared)).toBe(undefined)
})

test('the last time that a large value is compared between other writes counts', async () => {
  using folder = temporaryFolder()
  await using store = openLarge(folder.path)
  const precondition = { path: at('/p/large'), etag: etag(store, '/p/large') }
  const inSlices = vi.spyOn(ReadSnapshot.prototype, 'etagSteps')
  const inOneStep = vi.spyOn(ReadSnapshot.prototype, 'etag')
  onTestFinished(() => {
    vi.restoreAllMocks()
  })
  const compared = store.write({ ...set('/a', 1), precondition })
  const { calls } = inSlices.mock
  for (let changes = 0; !(await isSettled(compared));) {
    // Once while each of the first three is made.
    if (calls.length === 4 || calls.length === changes) continue
    store.commit([set('/p', { large: { texts }, changes: ++changes })])
  }
  expect(code(await compared)).toBe(undefined)
  expect(inSlices).toHaveBeenCalledTimes(4)
  expect(inOneStep).not.toHaveBeenCalled()
})

test('one large value is digested once for all of a commit that depend on it', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path, rowMaxBytes: 60 })
  store.commit([set('/p/large', { texts: texts.slice(0, 20) })])
  const precondition = { path: at('/p/large'), etag: etag(store, '/p/large') }
  const inOneStep = vi.spyOn(ReadSnapshot.prototype, 'etag')
  onTestFinished(() => {
    vi.restoreAllMocks()
  })
  const elsewhere = ['/a', '/b', '/c'].map((path) => ({ pairs: set(path, 1).pairs, precondition }))
  accepted(store.commit(elsewhere))
  expect(inOneStep).toHaveBeenCalledTimes(1)
})

test('what was digested for a write says nothing of what has changed before the next one', async () => {
  using folder = temporaryFolder()
  await using store = openLarge(folder.path)
  const old = { path: at('/p/large'), etag: etag(store, '/p/large') }
  const inSlices = vi.spyOn(ReadSnapshot.prototype, 'etagSteps')
  onTestFinished(() => {
    vi.restoreAllMocks()
  })
  const first = store.write({ ...set('/a', 1), precondition: old })
  while (inSlices.mock.calls.length === 0) await setImmediate()
  store.commit([set('/p/large/more', 1)])
  const changed = { path: at('/p/large'), etag: etag(store, '/p/large') }
  const second = store.write({ ...set('/b', 1), precondition: changed })
  expect(code(await first)).toBe('ERR_CONDITION_FAILED')
  expect(code(await second)).toBe(undefined)
})

test('each write of a commit is compared with what those before it have left', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path, rowMaxBytes: 60 })
  const few = texts.slice(0, 20)
  store.commit([set('/p/large', { texts: few })])
  const precondition = { path: at('/p/large'), etag: etag(store, '/p/large') }
  const dependent = { ...set('/a', 1), precondition }
  const writes = [
    dependent,
    { ...set('/p/large/more', 1), precondition },
    dependent,
    dependent,
    set('/p/large/more', null),
    dependent,
    dependent,
    set('/p/large/.priority', 1),
    dependent,
    set('/p', { large: { texts: few } }),
    dependent,
    set('/', null),
    dependent,
  ]
  const failed = 'ERR_CONDITION_FAILED'
  const [no, yes] = [failed, undefined]
  expect(store.commit(writes).map(code)).toEqual([
    yes,
    yes,
    no,
    no,
    yes,
    yes,
    yes,
    yes,
    no,
    yes,
    yes,
    yes,
    no,
  ])
})

test('a large priority goes with what it was the priority of, also for a condition', async () => {
  using folder = temporaryFolder()
  await using store = openStore({ path: folder.path })
  store.commit([set('/a', { b: 1, '.priority': 'p'.repeat(70_000) })])
  const precondition = { path: at('/a/.priority'), etag: etag(store, '/a/.priority') }
  const dependent = { ...set('/other', 1), precondition }
  const outcomes = store.commit([dependent, set('/a/b', null), dependent])
  expect(outcomes.map(code)).toEqual([undefined, undefined, 'ERR_CONDITION_FAILED'])
})

test('a large value is compared where no log says what has changed', async () => {
  using folder = temporaryFolder()
  await using store = openLarge(folder.path, { maxBytes: 0 })
  const precondition = { path: at('/p/large'), etag: etag(store, '/p/large') }
  const compared = store.write({ ...set('/a', 1), precondition })
  for (let index = 0; index < 5; index++) {
    await setImmediate()
    store.commit([set('/b', index)])
  }
  expect(code(await compared)).toBe(undefined)
  const other = store.write({ ...set('/a', 2), precondition: { ...precondition, etag: 'x' } })
  expect(code(await other)).toBe('ERR_CONDITION_FAILED')
})

test('nothing in a write is called before it is known what is there', async () => {
  using folder = temporaryFolder()
  await using store = openLarge(folder.path)
  const called: string[] = []
  const value = (): number => called.push('function')
  const judge = (): undefined => void called.push('judge')
  const pairs = [{ path: at('/a'), value }]
  const precondition = { path: at('/p/large'), etag: etag(store, '/p/large') }
  const compared = store.write({ pairs, precondition, judge })
  await store.write(set('/b', 1))
  expect(code(await compared)).toBe(undefined)
  expect(called).toEqual(['function', 'judge'])
})

test('closing waits for what listeners write when they hear of what was being compared', async () => {
  using folder = temporaryFolder()
  const store = openLarge(folder.path)
  const precondition = { path: at('/p/large'), etag: etag(store, '/p/large') }
  const echoes: Promise<WriteOutcome>[] = []
  const stop = store.subscribe(() => {
    const next = echoes.length + 1
    // The second one is compared as well, the third one hears of that.
    if (next > 3) return
    expect(read(store, '/a')).toBe('1')
    echoes.push(store.write({ ...set(`/echo${next}`, 1), ...(next === 2 && { precondition }) }))
  })
  const compared = store.write({ ...set('/a', 1), precondition })
  const closing = store.close()
  await expect(store.write(set('/late', 1))).rejects.toMatchObject({ code: 'ERR_STORE_CLOSED' })
  expect(() => store.snapshot()).toThrow(expect.objectContaining({ code: 'ERR_STORE_CLOSED' }))
  accepted([await compared])
  // Whoever hears of the outcome is no listener.
  await expect(store.write(set('/late', 1))).rejects.toMatchObject({ code: 'ERR_STORE_CLOSED' })
  await closing
  expect(echoes.length).toBe(3)
  accepted(await Promise.all(echoes))
  stop()
  await using again = openStore({ path: folder.path })
  using snapshot = again.snapshot()
  expect([...snapshot.keys(at('/'))]).toEqual(['a', 'echo1', 'echo2', 'echo3', 'p'])
})

const encryptionKey = Buffer.alloc(32, 'key')

/** Puts a row that cannot be read under a head, in the place of one that can be. */
async function damage(path: string, head: readonly string[], name: string): Promise<void> {
  const lmdb = openLmdb(path, new Sealer(encryptionKey))
  let { number } = lmdb.entry(TOP_HEAD, ROOT_NAME, undefined) as Head
  for (const key of head) ({ number } = lmdb.entry(number, key, undefined) as Head)
  await lmdb.close()
  const other = openLmdb(path, new Sealer(Buffer.alloc(32, 'other')))
  other.transact(() => {
    other.putRow(number, name, large)
  })
  await other.close()
}

test.each([
  { what: 'a value', head: [], name: 'text', place: '/text' },
  { what: 'a part of a large value', head: ['large'], name: 'k200', place: '/large' },
])(
  'a condition on $what that cannot be read fails no other write',
  async ({ head, name, place }) => {
    using folder = temporaryFolder()
    const options = { path: folder.path, encryptionKey, rowMaxBytes: 100 }
    {
      await using store = openStore(options)
      const members = Array.from({ length: 300 }, (_, index) => [`k${index}`, 'x'.repeat(80)])
      store.commit([set('/', { text: 'x'.repeat(80), large: Object.fromEntries(members) })])
    }
    await damage(folder.path, head, name)
    await using store = openStore(options)
    const conditioned = { ...set('/a', 1), precondition: { path: at(place), etag: 'any' } }
    const corrupt = [undefined, 'ERR_STORE_CORRUPT', undefined]
    const writes = (value: string) => [set('/b', value), conditioned, set('/c', value)]
    expect(store.commit(writes('commit')).map(code)).toEqual(corrupt)
    expect([read(store, '/b'), read(store, '/c')]).toEqual(['"commit"', '"commit"'])
    const outcomes = await Promise.all(writes('write').map(async (write) => store.write(write)))
    expect(outcomes.map(code)).toEqual(corrupt)
    expect([read(store, '/b'), read(store, '/c')]).toEqual(['"write"', '"write"'])
    expect(read(store, '/a')).toBe(undefined)
  },
)

test('closing brings what is being compared to its end', async () => {
  using folder = temporaryFolder()
  const store = openLarge(folder.path)
  const precondition = { path: at('/p/large'), etag: etag(store, '/p/large') }
  const compared = store.write({ ...set('/a', 1), precondition })
  await setImmediate()
  await setImmediate()
  await store.close()
  expect(code(await compared)).toBe(undefined)
  await using again = openStore({ path: folder.path })
  expect(read(again, '/a')).toBe('1')
})
