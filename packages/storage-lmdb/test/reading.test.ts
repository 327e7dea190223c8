import { parseJson } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { openTree } from '../src/index.ts'
import { at, read } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** More than one block and many rows. */
function largeObject(): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: 5000 }, (_, index) => [`key ${index}`, 'x'.repeat(40)]),
  )
}

test('keys() takes any text as a bound, and what comes after it works', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, rowMaxBytes: 40 })
  tree.setSync('/l', { '-1': 1, 0: 1, 7: 1, ' ': 1, a: 1, xx: 1, é: 'long '.repeat(20) })
  const bounds = [
    '',
    '\u0001',
    'a'.repeat(100_000),
    'é'.repeat(5000),
    '0'.repeat(70_000),
    'x'.repeat(1900),
  ]
  expect(bounds.map((after) => tree.keys('/l', { after }).join())).toEqual([
    ' ,a,xx,é',
    ' ,a,xx,é',
    'xx,é',
    '',
    '7, ,a,xx,é',
    'é',
  ])
  expect(bounds.map((before) => tree.keys('/l', { before, reverse: true }).join())).toEqual([
    '7,0,-1',
    '7,0,-1',
    'a, ,7,0,-1',
    'é,xx,a, ,7,0,-1',
    '0,-1',
    'xx,a, ,7,0,-1',
  ])
  tree.setSync('/m', largeObject())
  expect(tree.keys('/m').length).toBe(5000)
})

test('keys() pages through a large list', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  tree.setSync(
    '/list',
    Array.from({ length: 12_345 }, (_, index) => index),
  )
  const pages: string[][] = []
  for (let page = tree.keys('/list', { limit: 1000 }); page.length > 0;) {
    pages.push(page)
    page = tree.keys('/list', { limit: 1000, after: page.at(-1)! })
  }
  expect(pages.map(({ length }) => length)).toEqual([...Array<number>(12).fill(1000), 345])
  expect(pages.flat()).toEqual(Array.from({ length: 12_345 }, (_, index) => String(index)))
})

test('blocks that are taken after the snapshot was closed are refused', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, rowMaxBytes: 200, durability: 'relaxed' })
  tree.setSync('/large', largeObject())
  const snapshot = tree.store.snapshot()
  const blocks = snapshot.jsonBlocks(at('/large'))![Symbol.iterator]()
  const names = snapshot.keys(at('/large'))[Symbol.iterator]()
  const unread = snapshot.jsonBlocks(at('/large'))!
  expect(blocks.next().value?.length).toBeGreaterThan(60_000)
  expect(names.next().value).toBe('key 0')
  snapshot.close()
  tree.setSync('/large', null)
  const closed: unknown = expect.objectContaining({ code: 'ERR_STORE_CLOSED' })
  expect(() => blocks.next()).toThrow(closed)
  expect(() => names.next()).toThrow(closed)
  expect(() => [...unread]).toThrow(closed)
})

test('blocks that are taken after the store was closed are refused', async () => {
  using folder = temporaryFolder()
  const tree = await openTree({ path: folder.path, rowMaxBytes: 200, durability: 'relaxed' })
  tree.setSync('/large', largeObject())
  const snapshot = tree.store.snapshot()
  const blocks = snapshot.jsonBlocks(at('/large'))![Symbol.iterator]()
  const names = snapshot.keys(at('/large'))[Symbol.iterator]()
  const cursors = [0, 1].map((sequence) => tree.store.cursorFrom!(tree.store.idOf(sequence)!))
  for (const cursor of cursors) cursor.next()
  tree.setSync('/other', 1)
  blocks.next()
  names.next()
  await tree.close()
  const closed: unknown = expect.objectContaining({ code: 'ERR_STORE_CLOSED' })
  expect(() => blocks.next()).toThrow(closed)
  expect(() => names.next()).toThrow(closed)
  for (const cursor of cursors) expect(() => cursor.next()).toThrow(closed)
  expect(() => snapshot.get(at('/'))).toThrow(closed)
})

test('a reader that stops in the middle of the blocks harms nobody', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, rowMaxBytes: 100, durability: 'relaxed' })
  tree.setSync('/large', { a: largeObject(), b: largeObject() })
  const whole = read(tree.store, '/large')
  for (let round = 0; round < 50; round++) {
    using snapshot = tree.store.snapshot()
    for (const _ of snapshot.jsonBlocks(at('/large')) ?? []) break
    for (const _ of snapshot.keys(at('/large/a'))) break
    tree.setSync('/other', round)
  }
  expect(read(tree.store, '/large')).toBe(whole)
})

test('blocks are the same bytes wherever they are cut', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  // Rows that end just before, at and behind the end of a block, in all that surrounds them.
  for (let length = 65_536 - 40; length < 65_536 + 8; length++) {
    const value = {
      a: 'x'.repeat(length),
      'é"\\': [1, 'é'.repeat(3000)],
      list: ['y'.repeat(5000), 2],
    }
    tree.setSync('/v', value)
    const text = JSON.stringify({ a: value.a, list: value.list, 'é"\\': value['é"\\'] })
    expect(read(tree.store, '/v')).toBe(text)
    using snapshot = tree.store.snapshot()
    const blocks = [...(snapshot.jsonBlocks(at('/v')) ?? [])]
    expect(Buffer.concat(blocks).equals(Buffer.from(text))).toBe(true)
    expect(blocks.length).toBeGreaterThan(1)
  }
})

test('values larger than a block come out in both forms', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  const long = 'é"\\\n'.repeat(100_000)
  const value = {
    list: [long, [long, { '.value': long, '.priority': 'p'.repeat(70_000) }]],
    text: long,
  }
  tree.setSync('/', value)
  const json = parseJson(JSON.stringify(value))
  expect(read(tree.store, '/') === json.toText('plain')).toBe(true)
  expect(read(tree.store, '/', 'export') === json.toText('export')).toBe(true)
  expect(
    read(tree.store, '/list/1', 'export') ===
      parseJson(JSON.stringify(value.list[1])).toText('export'),
  ).toBe(true)
})

test('arrays come and go with their odd names', async () => {
  for (const rowMaxBytes of [1, 4000]) {
    using folder = temporaryFolder()
    await using tree = await openTree({ path: folder.path, rowMaxBytes, durability: 'relaxed' })
    tree.setSync('/l', ['a', 'b', 'c'])
    const states: [name: string, value: unknown][] = [
      ['01', 1],
      ['01', null],
      ['-0', 1],
      ['-0', null],
      ['5', 'f'],
      ['6', 'g'],
      ['6', null],
      ['x', { y: 1 }],
      ['x', null],
      ['00', 1],
      ['-1', 2],
      ['00', null],
      ['-1', null],
      ['0', null],
      ['1', null],
      ['3000000000', 1],
      ['3000000000', null],
    ]
    const shown = states.map(([name, value]) => {
      tree.setSync(`/l/${name}`, value)
      return read(tree.store, '/l')
    })
    expect(shown).toEqual([
      '{"0":"a","1":"b","01":1,"2":"c"}',
      '["a","b","c"]',
      '{"0":"a","-0":1,"1":"b","2":"c"}',
      '["a","b","c"]',
      '["a","b","c",null,null,"f"]',
      '["a","b","c",null,null,"f","g"]',
      '["a","b","c",null,null,"f"]',
      '{"0":"a","1":"b","2":"c","5":"f","x":{"y":1}}',
      '["a","b","c",null,null,"f"]',
      '{"0":"a","00":1,"1":"b","2":"c","5":"f"}',
      '{"-1":2,"0":"a","00":1,"1":"b","2":"c","5":"f"}',
      '{"-1":2,"0":"a","1":"b","2":"c","5":"f"}',
      '["a","b","c",null,null,"f"]',
      '[null,"b","c",null,null,"f"]',
      '{"2":"c","5":"f"}',
      '{"2":"c","5":"f","3000000000":1}',
      '{"2":"c","5":"f"}',
    ])
  }
})

test('32 names of 768 bytes lead to a value', async () => {
  for (const rowMaxBytes of [1, 4000]) {
    using folder = temporaryFolder()
    await using tree = await openTree({ path: folder.path, rowMaxBytes, durability: 'relaxed' })
    const names = Array.from({ length: 32 }, (_, index) => `${index}`.padEnd(768, 'n'))
    const path = `/${names.join('/')}`
    tree.setSync(path, 'deep')
    tree.setSync(`${path}/.priority`, 5)
    expect(tree.get(path)).toBe('deep')
    expect(tree.keys(`/${names.slice(0, 31).join('/')}`)).toEqual([names[31]])
    expect(read(tree.store, path, 'export')).toBe('{".value":"deep",".priority":5}')
    expect(() => tree.setSync(`${path}/x`, 1)).toThrow(
      expect.objectContaining({ code: 'ERR_PATH_TOO_LONG' }),
    )
    tree.deleteSync(path)
    expect(read(tree.store, '/')).toBe(undefined)
  }
})

test('more snapshots than maxReaders are refused until some are closed', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, maxReaders: 4, durability: 'relaxed' })
  tree.setSync('/l', largeObject())
  const heard: number[] = []
  tree.store.subscribe((changes) => heard.push(...changes.map(({ sequence }) => sequence)))
  const open: { close(): void }[] = []
  // Each commit in between makes the next snapshot a transaction of its own.
  const openAll = () => {
    for (let version = 0; version < 10; version++) {
      tree.setSync('/v', `version ${heard.length}`)
      open.push(tree.store.snapshot())
    }
  }
  const full: unknown = expect.objectContaining({ code: 'ERR_TOO_MANY_SNAPSHOTS' })
  expect(openAll).toThrow(full)
  expect(open.length).toBeGreaterThan(1)
  expect(open.length).toBeLessThan(5)
  tree.setSync('/w', 'writing goes on')
  const value = parseJson('1')
  const large = { pairs: [{ path: at('/v'), value }], precondition: { path: at('/l'), etag: 'x' } }
  // The comparison with a large value needs a snapshot.
  await expect(tree.store.write(large)).rejects.toThrow(full)
  for (const snapshot of open) snapshot.close()
  expect(tree.get('/w')).toBe('writing goes on')
  expect(heard).toEqual(heard.map((_, index) => index + heard[0]!))
  expect(await tree.store.write(large)).toMatchObject({ ok: false })
})
