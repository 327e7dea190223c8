import { setImmediate } from 'node:timers/promises'
import type { TreeSnapshot } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { openTree } from '../src/index.ts'
import type { OpenTreeOptions, Tree } from '../src/index.ts'
import { at, reclaimed } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'
import type { TemporaryFolder } from './temporary-folder.ts'

const MIB = 1024 * 1024

const full: unknown = expect.objectContaining({ code: 'ERR_STORE_FULL' })

function openLimited(
  { path }: TemporaryFolder,
  options: Partial<OpenTreeOptions> = {},
): Promise<Tree> {
  return openTree({ path, durability: 'relaxed', maxBytes: 2 * MIB, ...options })
}

function usedBytes(tree: Tree): number {
  const { fileBytes, freeBytes } = tree.stats()
  return fileBytes - freeBytes
}

/** Writes until there is no room for even a small value. @returns how many values were written. */
function fill(tree: Tree, text = 'x'.repeat(1000)): number {
  let count = 0
  expect(() => {
    for (; ; count++) tree.setSync(`/filled/n${count}`, text)
  }).toThrow(full)
  expect(() => {
    for (let small = 0; ; small++) tree.setSync(`/small/n${small}`, small)
  }).toThrow(full)
  return count
}

test('beyond maxBytes a deletion carries nothing along, also one of nothing', async () => {
  using folder = temporaryFolder()
  await using tree = await openLimited(folder, { log: { maxBytes: 1000 } })
  fill(tree)
  const used = usedBytes(tree)
  for (let index = 0; index < 50; index++) {
    const members = { [`b${index}`]: 'y'.repeat(4000), nothing: null }
    expect(() => {
      tree.updateSync('/', members)
    }).toThrow(full)
    expect(() => {
      tree.updateSync('/', { [`b${index}`]: 'y', 'filled/n0': null })
    }).toThrow(full)
  }
  expect(usedBytes(tree)).toBe(used)
  expect(used).toBeLessThan(2 * MIB + 64 * 1024)
})

test('maxBytes counts bytes of UTF-8', async () => {
  using folder = temporaryFolder()
  await using tree = await openLimited(folder, { maxBytes: 3 * MIB })
  expect(() => {
    tree.setSync('/u', '漢'.repeat(1_200_000))
  }).toThrow(full)
  const stager = tree.store.stage()
  expect(() => {
    for (let index = 0; index < 20; index++) {
      stager.write(Buffer.from(`${index === 0 ? '[' : ','}"${'漢'.repeat(100_000)}"`))
    }
  }).toThrow(full)
  await reclaimed(tree)
  tree.setSync('/u', '漢'.repeat(400_000))
})

test('maxBytes counts names and the copy of a change in the log', async () => {
  using folder = temporaryFolder()
  await using tree = await openLimited(folder)
  const names = Array.from({ length: 2000 }, (_, index) => `${'k'.repeat(700)}${index}`)
  expect(() => {
    tree.updateSync('/', Object.fromEntries(names.map((name) => [name, 1])))
  }).toThrow(full)
  expect(() => {
    tree.setSync('/text', 'x'.repeat(1_048_000))
  }).toThrow(full)
  expect(tree.get('/')).toBe(null)
})

test('beyond maxBytes a value may be replaced by one that is no larger', async () => {
  using folder = temporaryFolder()
  {
    await using tree = await openLimited(folder)
    tree.updateSync('/', {
      count: 100,
      deleted: true,
      record: { a: 'x'.repeat(100), b: 'y' },
      large: Array.from({ length: 20 }, () => 'z'.repeat(1000)),
      ranked: { '.value': 1, '.priority': 'long' },
    })
  }
  await using tree = await openLimited(folder, { maxBytes: 1 })
  const counted = { deleted: null, count: { '.sv': { increment: -1 } } }
  tree.updateSync('/', counted)
  expect(tree.get('/count')).toBe(99)
  tree.setSync('/record', { c: 'z'.repeat(90) })
  tree.setSync('/large', 'z'.repeat(19_000))
  tree.setSync('/ranked/.priority', 'less')
  for (const [path, larger] of [
    ['/count', 100],
    ['/record', { c: 'z'.repeat(91) }],
    ['/large', 'z'.repeat(19_001)],
    ['/ranked/.priority', 'longer'],
    ['/missing', 1],
    ['/count/.priority', 1],
  ] as const) {
    expect(() => {
      tree.setSync(path, larger)
    }).toThrow(full)
  }
})

test('beyond maxBytes what is written again and again takes no more', async () => {
  using folder = temporaryFolder()
  await using tree = await openLimited(folder)
  tree.setSync('/value', 'v'.repeat(3000))
  fill(tree)
  const used = usedBytes(tree)
  for (let round = 0; round < 1000; round++) {
    tree.setSync('/value', String.fromCodePoint(97 + (round % 26)).repeat(3000))
  }
  expect(usedBytes(tree)).toBeLessThanOrEqual(used)
})

test('beyond maxBytes deleting small values one by one makes room', async () => {
  using folder = temporaryFolder()
  const names = Array.from({ length: 4000 }, (_, index) => `n${index}`)
  {
    await using tree = await openLimited(folder)
    tree.setSync('/small', Object.fromEntries(names.map((name) => [name, 1])))
  }
  await using tree = await openLimited(folder, { maxBytes: 1 })
  const used = usedBytes(tree)
  tree.idle()
  for (const name of names.slice(0, 3500)) tree.deleteSync(`/small/${name}`)
  expect(usedBytes(tree)).toBeLessThan(0.8 * used)
})

test('beyond maxBytes a value that is staged to make room passes', async () => {
  using folder = temporaryFolder()
  {
    await using tree = await openLimited(folder)
    tree.updateSync('/', { a: 'x'.repeat(200_000), b: 1 })
  }
  await using tree = await openLimited(folder, { maxBytes: 1 })
  for (const [path, json] of [
    ['/a', JSON.stringify('y'.repeat(100_000))],
    ['/b', 'null'],
  ] as const) {
    const stager = tree.store.stage()
    stager.write(Buffer.from(json))
    const pairs = [{ path: at(path), value: stager.end()[0]!.value }]
    expect(tree.store.commit([{ pairs }])).toMatchObject([{ ok: true }])
  }
  expect(tree.get('/')).toEqual({ a: 'y'.repeat(100_000) })
})

test('beyond maxBytes a staged value finds its place', async () => {
  using folder = temporaryFolder()
  await using tree = await openLimited(folder, { maxBytes: 4 * MIB })
  const stager = tree.store.stage()
  stager.write(Buffer.from(JSON.stringify(Array.from({ length: 2000 }, () => 'x'.repeat(1000)))))
  const [staged] = stager.end()
  fill(tree)
  const pairs = [{ path: at('/staged'), value: staged!.value }]
  expect(tree.store.commit([{ pairs }])).toMatchObject([{ ok: true }])
  expect(tree.count('/staged')).toBe(2000)
})

test('a write that is refused takes no room from the others in its commit', async () => {
  using folder = temporaryFolder()
  await using tree = await openLimited(folder)
  const refused = {
    pairs: [{ path: at('/large'), value: 'x'.repeat(700_000) }],
    judge: () => new Error('no'),
  }
  const small = { pairs: [{ path: at('/small'), value: 'x'.repeat(400_000) }] }
  expect(tree.store.commit([refused, small]).map(({ ok }) => ok)).toEqual([false, true])
})

test('a write that is refused beyond maxBytes takes no older changes from the log', async () => {
  using folder = temporaryFolder()
  await using tree = await openLimited(folder)
  tree.setSync('/large', 'x'.repeat(600_000))
  for (let index = 0; index < 40; index++) tree.setSync(`/n${index}`, index)
  const before = tree.stats().changes
  // More than there is room for now, with the copy in the log.
  const refused = {
    pairs: [{ path: at('/large'), value: 'y'.repeat(600_000) }],
    judge: () => new Error('no'),
  }
  const small = { pairs: [{ path: at('/small'), value: 'x'.repeat(500) }] }
  expect(tree.store.commit([refused, small]).map(({ ok }) => ok)).toEqual([false, true])
  expect(tree.stats().changes).toBe(before + 1)
})

test('beyond maxBytes a write is no failure because too many snapshots are open to look for room', async () => {
  using folder = temporaryFolder()
  const maxReaders = 4
  const children = Array.from({ length: 3000 }, (_, age) => ({ age }))
  {
    await using tree = await openLimited(folder, { maxReaders, maxBytes: 100 * MIB })
    tree.updateSync('/', { list: children, filler: 'x'.repeat(MIB), a: 1, b: 1, c: 1, d: 1, e: 1 })
  }
  await using tree = await openLimited(folder, {
    maxReaders,
    maxBytes: MIB,
    indexes: { '/list': ['age'] },
  })
  const isReady = () => tree.indexes().every((index) => index.isReady)
  // The keeper of the indexes has had its turn before, and has found no room.
  await setImmediate()
  expect(isReady()).toBe(false)
  const snapshots: TreeSnapshot[] = []
  const hold = () => {
    for (const name of 'abcde') {
      tree.deleteSync(`/${name}`)
      snapshots.push(tree.store.snapshot())
    }
  }
  expect(hold).toThrow(expect.objectContaining({ code: 'ERR_TOO_MANY_SNAPSHOTS' }))
  tree.deleteSync('/filler')
  for (const snapshot of snapshots) snapshot.close()
  expect(tree.keys('/').length).toBeLessThan(6)
  // Nothing more is written.
  while (!isReady()) await setImmediate()
  expect(tree.count('/list', { orderBy: 'age' })).toBe(children.length)
})
