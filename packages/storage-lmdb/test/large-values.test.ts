import { parseJson } from '@elkyn/tree'
import type { TreeWrite } from '@elkyn/tree'
import { expect, onTestFinished, test, vi } from 'vitest'
import { EntryView } from '../src/entry-view.ts'
import { openTree } from '../src/index.ts'
import { at, read, reclaimed } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'

test('the longest strings are written and read, several in one commit', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  const strings = {
    plain: 'x'.repeat(10 * 1024 * 1024),
    // Six characters of JSON for each, three bytes of UTF-8.
    escaped: '\u0001'.repeat(10 * 1024 * 1024),
    wide: '日'.repeat(3_495_253),
    short: 's',
  }
  tree.updateSync('/', strings)
  for (const [name, text] of Object.entries(strings))
    expect(tree.get(`/${name}`) === text).toBe(true)
  expect(
    read(tree.store, '/') ===
      JSON.stringify({
        escaped: strings.escaped,
        plain: strings.plain,
        short: 's',
        wide: strings.wide,
      }),
  ).toBe(true)
  tree.deleteSync('/plain')
  expect(tree.keys('/')).toEqual(['escaped', 'short', 'wide'])
})

test('a long list is listed, paged, read as an array and deleted at once', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({
    path: folder.path,
    durability: 'relaxed',
    log: { maxBytes: 0 },
  })
  // A million where there is time.
  const count = process.env['ELKYN_TEST_MINUTES'] === undefined ? 200_000 : 1_000_000
  const stager = tree.store.stage()
  stager.write(Buffer.from('['))
  for (let start = 0; start < count; start += 10_000) {
    const items = Array.from({ length: 10_000 }, (_, index) => start + index)
    stager.write(Buffer.from(`${start === 0 ? '' : ','}${items.join()}`))
  }
  stager.write(Buffer.from(']'))
  tree.store.commit([{ pairs: [{ path: at('/list'), value: stager.end()[0]!.value }] }])
  expect(tree.keys('/list', { reverse: true, limit: 2 })).toEqual([`${count - 1}`, `${count - 2}`])
  expect(tree.keys('/list', { after: '99998', limit: 2 })).toEqual(['99999', '100000'])
  expect(tree.keys('/list', { after: '10', before: '13' })).toEqual(['11', '12'])
  expect(tree.get('/list/177777')).toBe(177_777)
  using snapshot = tree.store.snapshot()
  let listed = 0
  for (const name of snapshot.keys(at('/list'))) if (Number(name) === listed) listed++
  expect(listed).toBe(count)
  let bytes = 0
  let first: number | undefined
  for (const block of snapshot.jsonBlocks(at('/list'))!) {
    first ??= block[0]
    bytes += block.length
  }
  expect(first).toBe('['.charCodeAt(0))
  // One to six digits each, commas between, brackets around.
  expect(bytes).toBe(6 * count - 111_110 + (count - 1) + 2)
  snapshot.close()
  tree.deleteSync('/list')
  expect(tree.get('/')).toBe(null)
  expect(tree.stats().rows).toBeGreaterThan(0.9 * count)
  tree.setSync('/list/0', 'new')
  expect(await reclaimed(tree)).toMatchObject({ rows: 1, graves: 0 })
  expect(tree.get('/')).toEqual({ list: ['new'] })
})

test('what a write replaces is not read into memory', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, durability: 'relaxed', rowMaxBytes: 60 })
  const large = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${index}`, index]))
  tree.setSync('/', { large, ranked: { '.priority': 4, ...large }, n: 5 })
  const gather = vi.spyOn(EntryView.prototype, 'gather')
  tree.setSync('/', {
    large: { k7: { '.sv': { increment: 1 } }, t: { '.sv': 'timestamp' } },
    ranked: { '.priority': { '.sv': { increment: 1 } }, k1: { '.sv': { increment: 10 } } },
    n: { '.sv': { increment: 1 } },
  })
  tree.setSync('/large', large)
  tree.setSync('/large', { '.sv': { increment: 3 } })
  tree.setSync('/ranked/.priority', { '.sv': { increment: 2 } })
  expect(gather).not.toHaveBeenCalled()
  gather.mockRestore()
  expect(read(tree.store, '/', 'export')).toBe(
    parseJson('{"large":3,"n":6,"ranked":{".priority":7,"k1":11}}').toText('export'),
  )
})

test.each([
  ['plain', { '.value': 'x\n'.repeat(100_000) }],
  ['with a priority', { '.value': 'x\n'.repeat(100_000), '.priority': 7 }],
])('what many writes have to know of a long string %s is found out once', async (_, long) => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  const { store } = tree
  if (!('entriesRead' in store)) throw new TypeError('No store in LMDB')
  // Two in turn, so that none of them is the one that was read last.
  await tree.update('/', { filler: 'x'.repeat(4000), s: long, t: long })
  const names = Array.from({ length: 500 }, (__, index) => `${'st'[index % 2]}/x${index}`)
  const members = (suffix: string, value: unknown) =>
    Object.fromEntries(names.map((name) => [`${name}${suffix}`, value]))
  const before = read(store, '/', 'export')
  const readBefore = Number(store.entriesRead)
  const parse = vi.spyOn(JSON, 'parse')
  await tree.update('/', members('', null))
  await tree.update('/', members('/.priority', 1))
  await Promise.all(names.map((name) => tree.delete(`/${name}`)))
  const priority = '.priority' in long ? long['.priority'] : null
  await Promise.all(names.map(() => tree.set('/s/.priority', priority)))
  const increments = names.map((name) => {
    return { path: at(`/${name}`), value: parseJson('{".sv":{"increment":1}}') }
  })
  const refused: TreeWrite[] = [{ pairs: increments, judge: () => new Error('refused') }]
  const pairs = [{ path: at('/q'), value: 1 }]
  for (const place of [...names.map((name) => `/${name}`), ...names.map(() => '/s/.priority')]) {
    refused.push({ pairs, precondition: { path: at(place), etag: 'another one' } })
  }
  const outcomes = await Promise.all(refused.map((write) => store.write(write)))
  expect(outcomes.every(({ ok }) => !ok)).toBe(true)
  const parsed = parse.mock.calls.filter(([text]) => text.length > 10_000)
  parse.mockRestore()
  expect(Number(store.entriesRead) - readBefore).toBeLessThan(100)
  expect(parsed.length).toBeLessThan(10)
  expect(read(store, '/', 'export')).toBe(before)
})

test.each([
  ['plain', 'x\n'.repeat(10_000), null],
  ['with a priority', { '.value': 'x\n'.repeat(10_000), '.priority': 7 }, 7],
])(
  'a value below a long string %s takes its place, and it is not parsed',
  async (_, long, rank) => {
    using folder = temporaryFolder()
    await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
    await tree.update('/', { filler: 'x'.repeat(4000), s: long, t: long })
    const parse = vi.spyOn(JSON, 'parse')
    onTestFinished(() => {
      parse.mockRestore()
    })
    const refused = Array.from({ length: 10 }, (__, index) => ({
      pairs: [{ path: at(`/${'st'[index % 2]}/x`), value: 1 }],
      judge: () => new Error('refused'),
    }))
    await Promise.all(refused.map((write) => tree.store.write(write)))
    await tree.set('/s/x/y', 1)
    expect(parse.mock.calls.filter(([text]) => text.length > 10_000)).toEqual([])
    expect(tree.get('/s')).toEqual({ x: { y: 1 } })
    expect(read(tree.store, '/s/.priority')).toBe(rank === null ? undefined : `${rank}`)
    expect(tree.get('/t')).toHaveLength(20_000)
  },
)

test('a long priority is not read on the way to what lies below it', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  const names = Array.from({ length: 50 }, (_, index) => `n${index}`)
  // Each of them is large, so that a write that deletes it forgets where others are.
  const children = Object.fromEntries(names.map((name) => [name, { a: 'x'.repeat(5000), b: 1 }]))
  await tree.update('/', { r: { '.priority': 'p'.repeat(100_000), ...children }, other: 1 })
  const parse = vi.spyOn(JSON, 'parse')
  onTestFinished(() => {
    parse.mockRestore()
  })
  const deleted = names.slice(1).map((name) => [`${name}/a`, null])
  await tree.update('/r', Object.fromEntries(deleted))
  await Promise.all(names.slice(1).map((name) => tree.delete(`/r/${name}`)))
  expect(parse.mock.calls.filter(([text]) => text.length > 10_000)).toEqual([])
  expect(tree.keys('/r')).toEqual(['n0'])
})

test('a change of many values is logged with a megabyte of them', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  const heard: (string | undefined)[][] = []
  tree.store.subscribe((changes) => {
    for (const { pairs } of changes) heard.push(pairs.map(({ value }) => value?.text.slice(0, 4)))
  })
  const before = tree.stats().fileBytes
  tree.updateSync('/', {
    a: 'a'.repeat(600_000),
    b: 'b'.repeat(600_000),
    c: 'c'.repeat(300_000),
    d: 'd'.repeat(600_000),
    e: 'e',
  })
  expect(heard).toEqual([['"aaa', undefined, '"ccc', undefined, '"e"']])
  expect(tree.stats().fileBytes - before).toBeLessThan(4_000_000)
  expect(tree.keys('/')).toEqual(['a', 'b', 'c', 'd', 'e'])
})

test('a block of a large value that is given back is filled again, and no other', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  const records = Object.fromEntries(
    Array.from({ length: 4000 }, (_, index) => [`key${index}`, 'x'.repeat(100)]),
  )
  tree.setSync('/large', records)
  using snapshot = tree.store.snapshot()
  const kept = [...snapshot.jsonBlocks(at('/large'))!]
  expect(new Set(kept.map(({ buffer }) => buffer)).size).toBe(kept.length)
  const text = Buffer.concat(kept).toString()
  expect(JSON.parse(text)).toEqual(records)

  const blocks = snapshot.jsonBlocks(at('/large'))![Symbol.iterator]()
  const taken: string[] = []
  const memories = new Set<ArrayBufferLike>()
  for (let next = blocks.next(); next.done !== true; next = blocks.next(next.value)) {
    taken.push(Buffer.from(next.value).toString('latin1'))
    memories.add(next.value.buffer)
  }
  expect(taken.join('')).toBe(text)
  expect(memories.size).toBeLessThan(kept.length)

  // What is given back is another one's: it stays as it is.
  const foreign = new Uint8Array(64 * 1024)
  const others = snapshot.jsonBlocks(at('/large'))![Symbol.iterator]()
  for (let next = others.next(); next.done !== true; next = others.next(foreign)) {
    expect(next.value.buffer).not.toBe(foreign.buffer)
  }
  expect(foreign).toEqual(new Uint8Array(64 * 1024))
})
