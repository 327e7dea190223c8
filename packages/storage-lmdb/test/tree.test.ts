/* oxlint-disable elkyn/transaction-returns-nothing -- the tree's own method of that name takes a value */
import { existsSync } from 'node:fs'
import { ServerValue } from '@elkyn/tree'
import type { Change } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { openTree } from '../src/index.ts'
import type { Tree } from '../src/index.ts'
import { at, read } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'

function code(name: string): unknown {
  return expect.objectContaining({ code: name })
}

async function open(folder: { readonly path: string }): Promise<Tree> {
  return openTree({ path: folder.path, durability: 'relaxed', rowMaxBytes: 100 })
}

/** Commits, as the sequence numbers that were heard together. */
function heardTogether(tree: Tree): number[][] {
  const commits: number[][] = []
  tree.store.subscribe((changes) => commits.push(changes.map(({ sequence }) => sequence)))
  return commits
}

test('values are read and written as plain JSON', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  await tree.set('/users/ada', { name: 'Ada', langs: ['en', 'fr'], none: null, empty: {} })
  await tree.update('/users/ada', { age: 36, 'langs/1': null, 'a/b/c': true })
  expect(tree.get('/users/ada')).toEqual({
    a: { b: { c: true } },
    age: 36,
    langs: ['en'],
    name: 'Ada',
  })
  expect(tree.get('users/ada/langs/0')).toBe('en')
  expect(tree.has('/users/ada/age')).toBe(true)
  expect(tree.has('/users/bob')).toBe(false)
  expect(tree.get('/users/bob')).toBe(null)
  expect(tree.getJson('/users/bob')).toBe(undefined)
  expect(Buffer.from(tree.getJson('/users/ada/age')!).toString()).toBe('36')
  expect(tree.keys('/users/ada', { after: 'a', limit: 2 })).toEqual(['age', 'langs'])
  await tree.delete('/users')
  await tree.delete('/users')
  expect(tree.get('/')).toBe(null)
})

test('push() makes keys that sort behind those before', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  const keys = [
    tree.pushSync('/l', 0),
    ...(await Promise.all([1, 2, 3].map(async (n) => tree.push('/l', n)))),
  ]
  expect(tree.keys('/l')).toEqual(keys)
  expect(keys.map((key) => tree.get(`/l/${key}`))).toEqual([0, 1, 2, 3])
})

test('transaction() computes from what is there, once', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  let calls = 0
  const add = (by: number) => (current: unknown) => {
    calls++
    return ((current as number | null) ?? 0) + by
  }
  const sums = await Promise.all([1, 2, 3, 4].map(async (by) => tree.transaction('/sum', add(by))))
  expect(sums).toEqual([1, 3, 6, 10])
  expect(calls).toBe(4)
  expect(tree.transactionSync('/sum', () => undefined)).toBe(10)
  expect(tree.transactionSync('/sum', () => null)).toBe(null)
  expect(await tree.transaction('/list', () => ['a', null, 'b'])).toEqual(['a', null, 'b'])
  expect(await tree.transaction('/time', () => ({ '.sv': 'timestamp' }))).toBe(tree.get('/time'))
  expect(tree.get('/')).toEqual({ list: ['a', null, 'b'], time: tree.get('/time') })
  await expect(
    tree.transaction('/x', () => {
      throw new RangeError('mine')
    }),
  ).rejects.toThrow('mine')
  expect(() => tree.transactionSync('/x', () => ({ 'bad.key': 1 }))).toThrow(
    code('ERR_INVALID_KEY'),
  )
  expect(tree.has('/x')).toBe(false)
})

test('bad values and paths are refused, and their neighbours are written', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic
  const bad: [path: string, value: unknown, error: unknown][] = [
    ['/a.b', 1, code('ERR_INVALID_PATH')],
    [`/${'k/'.repeat(33)}`, 1, code('ERR_PATH_TOO_LONG')],
    [`/${'x'.repeat(769)}`, 1, code('ERR_PATH_TOO_LONG')],
    ['/a', { 'b/c': 1 }, code('ERR_INVALID_KEY')],
    ['/a', { '': 1 }, code('ERR_INVALID_KEY')],
    ['/a', NaN, code('ERR_INVALID_NUMBER')],
    ['/a', 'x'.repeat(10 * 1024 * 1024 + 1), code('ERR_STRING_TOO_LARGE')],
    ['/a', '\ud800', code('ERR_INVALID_STRING')],
    ['/a/.priority', true, code('ERR_INVALID_PRIORITY')],
    ['/a', { '.value': 1, b: 2 }, code('ERR_INVALID_VALUE')],
    ['/a', undefined, expect.any(TypeError)],
    ['/a', cyclic, expect.any(TypeError)],
    ['/a', 1n, expect.any(TypeError)],
  ]
  const writes = bad.map(async ([path, value, error], index) => {
    const good = tree.set(`/good/${index}`, index)
    await expect(tree.set(path, value)).rejects.toThrow(error)
    await good
  })
  await Promise.all(writes)
  expect(tree.get('/')).toEqual({ good: bad.map((_, index) => index) })
})

test('names of Object.prototype are ordinary keys', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  const value = JSON.parse(
    '{"__proto__":{"x":1},"constructor":"c","toString":{"valueOf":2}}',
  ) as object
  await tree.set('/v', value)
  await tree.set('/v/__proto__/y', 'x'.repeat(200))
  await tree.update('/v', { 'hasOwnProperty/__proto__': 1 })
  expect(read(tree.store, '/v')).toBe(
    `{"__proto__":{"x":1,"y":"${'x'.repeat(200)}"},"constructor":"c",` +
      '"hasOwnProperty":{"__proto__":1},"toString":{"valueOf":2}}',
  )
  expect(tree.get('/v/__proto__/x')).toBe(1)
  expect(tree.get('/v/valueOf')).toBe(null)
  expect(tree.keys('/v')).toEqual(['__proto__', 'constructor', 'hasOwnProperty', 'toString'])
})

test('writes of one turn share a commit, in their order', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  const commits = heardTogether(tree)
  await Promise.all([tree.set('/a', 1), tree.set('/b', 2), tree.delete('/none'), tree.set('/a', 3)])
  await tree.set('/c', 4)
  tree.setSync('/d', 5)
  expect(commits).toEqual([[1, 2, 3], [4], [5]])
  expect(tree.get('/')).toEqual({ a: 3, b: 2, c: 4, d: 5 })
})

test('a batch is closed at 512 writes and at 4 MB', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  const commits = heardTogether(tree)
  await Promise.all(
    Array.from({ length: 1100 }, async (_, index) => tree.set(`/n/${index}`, index)),
  )
  expect(commits.map(({ length }) => length)).toEqual([512, 512, 76])
  commits.length = 0
  const text = 'x'.repeat(1_500_000)
  await Promise.all(
    Array.from({ length: 5 }, async (_, index) => tree.set(`/t/${index}`, `${index}${text}`)),
  )
  expect(commits.map(({ length }) => length)).toEqual([2, 2, 1])
})

test('a batch is closed at 4 MB of paths, too', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  const commits = heardTogether(tree)
  const long = `/${'k'.repeat(768)}`.repeat(20)
  const members = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [index, 1]))
  await Promise.all([1, 2, 3].map(async (last) => tree.update(`${long}/${last}`, members)))
  expect(commits.map(({ length }) => length)).toEqual([2, 1])
})

test('one write that fails harms none of those that share its commit', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  tree.setSync('/kept', { a: 1 })
  const large = Object.fromEntries(
    Array.from({ length: 50 }, (_, index) => [`k${index}`, 'x'.repeat(20)]),
  )
  const outcomes = tree.store.commit([
    { pairs: [{ path: at('/first'), value: 1 }] },
    { pairs: [{ path: at('/kept'), value: null }], judge: () => new Error('refused') },
    {
      pairs: [
        { path: at('/kept/b'), value: 'x'.repeat(300) },
        { path: at('/first'), value: () => undefined },
      ],
    },
    {
      pairs: [{ path: at('/first'), value: null }],
      judge: () => {
        throw new Error('broken')
      },
    },
    { pairs: [{ path: at('/kept/a'), value: 2 }], precondition: { path: at('/'), etag: 'wrong' } },
    { pairs: [{ path: at('/n'), value: new ServerValue(1e308) }] },
    { pairs: [{ path: at('/n'), value: new ServerValue(1e308) }] },
    {
      pairs: [
        { path: at('/a'), value: 1 },
        { path: at('/a/b'), value: 1 },
      ],
    },
    { pairs: [{ path: at('/last'), value: 2 }] },
  ])
  expect(outcomes.map((outcome) => (outcome.ok ? outcome.sequence : outcome.error))).toEqual([
    2,
    new Error('refused'),
    code('ERR_REFUSED'),
    new Error('broken'),
    code('ERR_CONDITION_FAILED'),
    3,
    code('ERR_INVALID_NUMBER'),
    code('ERR_PATH_CONFLICT'),
    4,
  ])
  expect(tree.get('/')).toEqual({ first: 1, kept: { a: 1 }, last: 2, n: 1e308 })
  tree.store.commit([
    { pairs: [{ path: at('/kept'), value: () => undefined }] },
    { pairs: [{ path: at('/large'), value: null }] },
  ])
  tree.setSync('/large', large)
  expect(tree.get('/large')).toEqual(large)
})

test('a refused write of a large value leaves no rows and loses sight of none', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  const large = (text: string) =>
    Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`k${index}`, { text, deep: { text } }]),
    )
  tree.setSync('/v', large('old'))
  const { rows } = tree.stats()
  for (let round = 0; round < 3; round++) {
    const [outcome] = tree.store.commit([
      {
        pairs: [
          { path: at('/v'), value: null },
          { path: at('/w'), value: at('/w') },
        ],
        judge: (before, after) => {
          expect(before.kind(at('/v/k1/deep'))).toBe('branch')
          expect(after.kind(at('/v/k1/deep'))).toBe('none')
          return new Error('no')
        },
      },
    ])
    expect(outcome?.ok).toBe(false)
    expect(tree.get('/v/k39/deep/text')).toBe('old')
    tree.setSync('/v/k39/deep/text', `round ${round}`)
    tree.setSync('/v/k39/deep/text', 'old')
  }
  expect(tree.get('/v')).toEqual(large('old'))
  expect(tree.stats().rows).toBe(rows)
})

test('a write from inside a write is a mistake, and harms nobody', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  const stager = tree.store.stage()
  stager.write(Buffer.from('['))
  const mistakes: (() => unknown)[] = [
    () => tree.setSync('/inner', 1),
    () => tree.get('/outer'),
    () => {
      for (let index = 0; index < 4; index++)
        stager.write(Buffer.from(`"${'x'.repeat(1_000_000)}",`))
    },
  ]
  for (const mistake of mistakes) {
    expect(() => tree.transactionSync('/outer', mistake)).toThrow(TypeError)
    expect(() => tree.transactionSync('/outer', () => 1)).not.toThrow()
  }
  expect(tree.get('/')).toEqual({ outer: 1 })
  expect(tree.stats().changes).toBe(1)
})

test('what a judge began to list ends with the judge', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  tree.setSync(
    '/l',
    Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${index}`, 'x'])),
  )
  const begun: Iterator<string>[] = []
  tree.store.commit([
    {
      pairs: [{ path: at('/l/k7'), value: null }],
      judge: (before, after) => {
        for (const view of [before, after]) {
          const names = view.keys(at('/l'))[Symbol.iterator]()
          expect(names.next().value).toBe('k0')
          begun.push(names)
        }
        return undefined
      },
    },
  ])
  expect(begun.length).toBe(2)
  for (const names of begun) expect(() => names.next()).toThrow(code('ERR_STORE_CLOSED'))
})

test('a listener may write, and all hear both changes in order', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  const heard: string[][] = [[], []]
  tree.store.subscribe((changes) => {
    heard[0]!.push(...changes.map(({ pairs }) => pairs[0]!.path))
    if (changes[0]?.sequence === 1) tree.setSync('/echo', 1)
  })
  tree.store.subscribe((changes) => heard[1]!.push(...changes.map(({ pairs }) => pairs[0]!.path)))
  tree.setSync('/a', 1)
  expect(heard).toEqual([
    ['/a', '/echo'],
    ['/a', '/echo'],
  ])
})

test('a listener that writes whenever it hears of a write keeps no other from its end', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  let heard = 0
  tree.store.subscribe(() => {
    if (++heard < 100) void tree.set('/n', heard)
  })
  const queued = tree.set('/a', 1)
  tree.setSync('/b', 1)
  expect(heard).toBe(2)
  expect(tree.get('/')).toEqual({ a: 1, b: 1 })
  await queued
  await tree.close()
  expect(heard).toBe(100)
})

test('a listener may commit what the write that it hears of has begun to commit', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  const commits: number[] = []
  tree.store.subscribe((changes) => {
    commits.push(changes.length)
    if (commits.length === 1) tree.setSync('/heard', true)
  })
  const queued = Array.from({ length: 600 }, async (_, index) => tree.set(`/items/${index}`, 1))
  tree.setSync('/last', true)
  expect(commits).toEqual([512, 88, 1, 1])
  await Promise.all(queued)
})

test('sequence numbers and ids go on after a restart', async () => {
  using folder = temporaryFolder()
  const first: Change[] = []
  {
    await using tree = await open(folder)
    tree.store.subscribe((changes) => first.push(...changes))
    tree.setSync('/a', 1)
    tree.setSync('/a', 1)
    tree.setSync('/b', { c: 2 })
  }
  await using tree = await open(folder)
  using snapshot = tree.store.snapshot()
  expect(snapshot.sequence).toBe(2)
  const second: Change[] = []
  tree.store.subscribe((changes) => second.push(...changes))
  tree.setSync('/c', 3)
  expect([...first, ...second].map(({ sequence }) => sequence)).toEqual([1, 2, 3])
  const ids = [...first, ...second].map(({ id }) => id.split('-'))
  expect(new Set(ids.map(([epoch]) => epoch)).size).toBe(1)
  expect(new Set(ids.map(([, , mark]) => mark)).size).toBe(3)
})

test('a read-only tree reads and refuses to write', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  tree.setSync('/a', 1)
  await using reader = await openTree({ path: folder.path, readOnly: true })
  tree.setSync('/b', 2)
  expect(reader.get('/')).toEqual({ a: 1, b: 2 })
  expect(() => reader.setSync('/c', 3)).toThrow(TypeError)
  await expect(reader.set('/c', 3)).rejects.toThrow(TypeError)
  expect(() => reader.store.stage()).toThrow(TypeError)
  expect(reader.stats().rows).toBeGreaterThan(0)
})

test('close() answers the writes that wait, and everything after it fails', async () => {
  using folder = temporaryFolder()
  const tree = await open(folder)
  const writes = [1, 2, 3].map(async (value) => tree.set('/a', value))
  const closing = [tree.close(), tree.close()]
  await Promise.all([...writes, ...closing])
  await tree.close()
  const closed = code('ERR_STORE_CLOSED')
  expect(() => tree.get('/a')).toThrow(closed)
  expect(() => tree.setSync('/a', 4)).toThrow(closed)
  await expect(tree.set('/a', 4)).rejects.toThrow(closed)
  expect(() => tree.stats()).toThrow(closed)
  await expect(tree.backup(`${folder.path}-copy`)).rejects.toThrow(closed)
  expect(existsSync(`${folder.path}-copy`)).toBe(false)
  await using again = await open(folder)
  expect(again.get('/a')).toBe(3)
})

test('the same value written again makes no change', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  const large = { '.priority': 5, list: Array.from({ length: 60 }, (_, index) => ({ index })) }
  tree.setSync('/v', large)
  const { rows, changes } = tree.stats()
  tree.setSync('/v', large)
  tree.setSync('/v/list', large.list)
  tree.setSync('/v/list/59', { index: 59 })
  tree.updateSync('/', { 'v/list/3/index': 3, 'none/x': null })
  tree.setSync('/v/.priority', 5)
  expect(tree.stats()).toMatchObject({ rows, changes, graves: 0 })
  tree.setSync('/v/.priority', 6)
  expect(tree.stats().changes).toBe(changes + 1)
})

test('an object of many zero-padded numbers is written in one piece', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  const names = Array.from({ length: 150_000 }, (_, index) => String(index).padStart(7, '0'))
  tree.setSync('/ids', Object.fromEntries(names.map((name) => [name, 1])))
  expect(tree.keys('/ids').length).toBe(names.length)
  expect(tree.keys('/ids', { limit: 2 })).toEqual(['0000000', '0000001'])
  expect(tree.get('/ids/0149999')).toBe(1)
})

test('two openings in one thread never trust what the other has changed', async () => {
  using folder = temporaryFolder()
  await using first = await open(folder)
  await using second = await open(folder)
  const large = (text: string) => ({
    deep: Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`k${index}`, { text }])),
  })
  for (let round = 0; round < 10; round++) {
    const [writer, reader] = round % 2 === 0 ? [first, second] : [second, first]
    writer.setSync('/v', large(`round ${round}`))
    expect(reader.get('/v/deep/k7/text')).toBe(`round ${round}`)
    reader.setSync('/v/deep/k7/text', 'changed')
    expect(writer.get('/v/deep/k7')).toEqual({ text: 'changed' })
    writer.setSync('/v', 'leaf')
    expect(reader.get('/v/deep/k7')).toBe(null)
    reader.setSync('/v/deep/k7/text', 'from nothing')
    expect(writer.get('/v')).toEqual({ deep: { k7: { text: 'from nothing' } } })
  }
})

test('query() finds children in order, page by page, and count() counts them', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({
    path: folder.path,
    rowMaxBytes: 20,
    indexes: { '/users': ['age'] },
  })
  tree.setSync('/users', { ada: { age: 36 }, bob: { age: 41 }, cyd: { age: 29 }, dan: { x: [1] } })
  const first = tree.query('/users', { orderBy: 'age', reverse: true, limitToFirst: 2 })
  expect(first.children).toEqual([
    { key: 'bob', value: { age: 41 } },
    { key: 'ada', value: { age: 36 } },
  ])
  const second = tree.query('/users', {
    orderBy: 'age',
    reverse: true,
    limitToFirst: 2,
    cursor: first.cursor!,
  })
  expect(second.children.map(({ key }) => key)).toEqual(['cyd', 'dan'])
  expect(second.cursor).toBe(undefined)
  expect(tree.count('/users')).toBe(4)
  expect(tree.count('/users', { orderBy: 'age', start: { value: 30 } })).toBe(2)
  expect(() => tree.query('/users', { orderBy: 'x' })).toThrow(
    expect.objectContaining({ code: 'ERR_INDEX_NOT_DEFINED' }),
  )
  tree.defineIndexes({ '/users': ['x'] })
  await tree.indexesBuilt()
  expect(tree.indexes()).toEqual([{ place: '/users', field: 'x', isReady: true }])
  expect(tree.query('/users', { orderBy: 'x', limitToLast: 1 }).children[0]?.value).toEqual({
    x: [1],
  })
})

test('a write that is none fails alone', async () => {
  using folder = temporaryFolder()
  await using tree = await open(folder)
  const none = tree.store.write({ path: '/a', value: 1 } as never)
  const write = tree.set('/b', 1)
  await expect(none).rejects.toThrow(TypeError)
  await write
  await expect(
    tree.store.write({ pairs: [{ path: at('/c'), value: {} as never }] }),
  ).resolves.toEqual({
    ok: false,
    error: expect.objectContaining({ message: expect.stringContaining('Invalid node') }) as unknown,
  })
  expect(tree.get('/')).toEqual({ b: 1 })
})
