import type { Judge, TreeQuery } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { openTree } from '../src/index.ts'
import type { OpenTreeOptions, Tree } from '../src/index.ts'
import { at } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'

const SECRET = 'SECRET-'

/** Whether anything of the secret is in the memory that bytes lie in. */
function leaks(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer).includes(SECRET)
}

/** Every way in which bytes leave the store, after each of which a long record is read again. */
async function expectNoForeignBytes(tree: Tree, path: string): Promise<void> {
  const value = JSON.stringify(tree.get(path))
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
  for (const form of ['plain', 'export'] as const) {
    tree.getJson('/secret')
    tree.get('/secret/list')
    using snapshot = tree.store.snapshot()
    const wanted = snapshot.get(at(path)).toText(form)
    for (const secret of ['/secret', '/secret/list', '/secret/text', '/secret/ranked']) {
      snapshot.json(at(secret), form)
      for (const _ of snapshot.jsonBlocks(at(secret), form) ?? []);
      snapshot.etag(at(secret))
      const bytes = snapshot.json(at(path), form)!
      expect(leaks(bytes)).toBe(false)
      expect(text(bytes)).toBe(wanted)
      snapshot.json(at(secret), form)
      for (const block of snapshot.jsonBlocks(at(path), form)!) {
        expect(leaks(block)).toBe(false)
        expect(text(block)).toBe(wanted)
      }
    }
  }
  tree.getJson('/secret/text')
  expect(leaks(tree.getJson(path)!)).toBe(false)
  tree.get('/secret')
  expect(JSON.stringify(tree.get(path))).toBe(value)
  tree.get('/secret')
  expect(tree.keys('/short').join()).toBe('empty,large,leaf,ranked,row,small')
}

async function expectNothingForeign(options: Partial<OpenTreeOptions>): Promise<void> {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, durability: 'relaxed', ...options })
  tree.setSync('/secret', {
    text: SECRET.repeat(20_000),
    list: Array.from({ length: 300 }, () => SECRET.repeat(20)),
    ranked: { '.value': SECRET.repeat(500), '.priority': SECRET.repeat(100) },
  })
  tree.setSync('/short', {
    leaf: 1,
    small: 'é',
    empty: '',
    row: { a: [1, { b: true }] },
    ranked: { '.value': 'r', '.priority': 1 },
    large: Object.fromEntries(
      Array.from({ length: 500 }, (_, index) => [`k${index}`, 'x'.repeat(50)]),
    ),
  })
  for (const path of ['leaf', 'small', 'empty', 'row', 'row/a', 'row/a/1', 'ranked']) {
    await expectNoForeignBytes(tree, `/short/${path}`)
  }
  tree.getJson('/secret')
  expect(leaks(tree.getJson('/short/large')!)).toBe(false)
  tree.getJson('/secret')
  expect(leaks(tree.getJson('/short')!)).toBe(false)
}

test('a long record read before never shows in a short one', async () => {
  await expectNothingForeign({})
})

test('a long record read before never shows in one of short rows', async () => {
  await expectNothingForeign({ rowMaxBytes: 20 })
})

test('a long record read before never shows in a sealed one', async () => {
  await expectNothingForeign({ encryptionKey: Buffer.alloc(32, 'key') })
})

test('a long record read before never shows in what a query finds', async () => {
  using folder = temporaryFolder()
  const indexes = { '/short': ['n', '$value'] }
  await using tree = await openTree({ path: folder.path, durability: 'relaxed', indexes })
  tree.setSync('/secret', { text: SECRET.repeat(20_000), list: [SECRET.repeat(2000)] })
  const count = 400
  const record = (index: number) => ({ n: index, text: 'é'.repeat(10) })
  for (let index = 0; index < count; index++) tree.setSync(`/short/k${index}`, record(index))
  const where = [{ field: 'text', op: '==', value: 'é'.repeat(10) } as const]
  const queries: TreeQuery[] = [
    { orderBy: '$key', limitToLast: 2 },
    { orderBy: '$value', limitToFirst: 2 },
    { orderBy: '$priority', limitToFirst: 2 },
    { orderBy: 'n', limitToLast: 2 },
    { orderBy: 'n', where, reverse: true, limitToFirst: 2 },
  ]
  for (const query of queries) {
    tree.get('/secret')
    expect(JSON.stringify(tree.query('/short', query).children)).not.toContain(SECRET)
    tree.getJson('/secret')
    expect(tree.count('/short', query)).toBe(2)
    using snapshot = tree.store.snapshot()
    for (const form of ['plain', 'export'] as const) {
      const result = snapshot.query(at('/short'), query)
      snapshot.json(at('/secret'))
      for (const block of result.jsonBlocks(form) ?? []) {
        expect(leaks(block)).toBe(false)
        const children = JSON.parse(Buffer.from(block).toString()) as object
        expect(Object.keys(children).length).toBe(2)
        snapshot.json(at('/secret'))
      }
      expect([...result.entries()].length).toBe(2)
    }
  }
})

test('a long record read before never shows in what a write is given and gives back', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  const { store } = tree
  tree.setSync('/secret', { text: SECRET.repeat(20_000), list: [SECRET.repeat(2000)] })
  tree.setSync('/short', { a: 'é', list: Array.from({ length: 600 }, (_, index) => `i${index}`) })
  const seen: unknown[] = []
  store.subscribe((changes) => seen.push(...changes.flatMap(({ pairs }) => pairs)))
  const path = at('/short/a')
  tree.get('/secret')
  seen.push(await tree.transaction('/short/a', (current) => `${String(current)}!`))
  tree.getJson('/secret')
  await tree.transaction('/short', (current) => {
    seen.push(current)
    return undefined
  })
  tree.get('/secret')
  const judge: Judge = (before, after) => {
    before.get(at('/secret'))
    seen.push(before.get(at('/short')).text, after.get(path).text, [...after.keys(at('/short'))])
    return undefined
  }
  const outcomes = store.commit([
    { pairs: [{ path, value: 'x' }], judge },
    { pairs: [{ path, value: 'y' }], precondition: { path, etag: 'another' } },
    { pairs: [{ path: at('/short/list/3'), value: (current) => current.node }] },
  ])
  expect(outcomes.map(({ ok }) => ok)).toEqual([true, false, true])
  seen.push(outcomes.map((outcome) => (outcome.ok ? outcome.values : outcome.current?.value.text)))
  expect(seen.length).toBeGreaterThan(6)
  expect(JSON.stringify(seen)).not.toContain(SECRET)
  expect(tree.get('/short/a')).toBe('x')
})

test('bytes that were handed out are not those of the store', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, rowMaxBytes: 100, durability: 'relaxed' })
  const value = { a: 'x'.repeat(50), b: Array.from({ length: 50 }, (_, index) => `item ${index}`) }
  tree.setSync('/v', value)
  for (const path of ['/v', '/v/a', '/v/b', '/v/b/1']) {
    tree.getJson(path)!.fill(0)
    using snapshot = tree.store.snapshot()
    for (const block of snapshot.jsonBlocks(at(path))!) block.fill(0)
  }
  expect(tree.get('/v')).toEqual(value)
})

test('changes from the log hold no foreign bytes', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  tree.setSync('/start', 1)
  const ids: string[] = []
  tree.store.subscribe((changes) => ids.push(...changes.map(({ id }) => id)))
  tree.setSync('/secret', SECRET.repeat(3000))
  for (let index = 0; index < 20; index++) tree.setSync('/n', index)
  const seen: unknown[] = []
  for await (const { path, value } of tree.watch('/', { since: ids[0]! })) {
    tree.get('/secret')
    seen.push(path, value)
    if (seen.length === 40) break
  }
  expect(JSON.stringify(seen)).not.toContain(SECRET)
})
