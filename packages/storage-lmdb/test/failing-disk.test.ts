import { constants } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTree } from '../src/index.ts'
import type { StoreStats } from '../src/index.ts'
import { buildFailingCalls, canBuild } from './failing-calls.ts'
import { reclaimed } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'
import type { TemporaryFolder } from './temporary-folder.ts'
import { TreeProcess } from './tree-process.ts'

const { ENOSPC, EIO, EDQUOT } = constants.errno

/** Numbers of the calls in `failing-calls.c`. */
const Call = { none: 0, page: 1, sync: 2, meta: 3 } as const

let built: TemporaryFolder
let library = ''

beforeAll(() => {
  built = temporaryFolder()
  if (canBuild) library = buildFailingCalls(built.path)
})
afterAll(() => {
  built[Symbol.dispose]()
})

/** Writes fail while a call fails, harm nothing, and work again when it does not. */
async function expectSurvived(call: number, errno: number, code: string): Promise<void> {
  using folder = temporaryFolder()
  const path = join(folder.path, 'data')
  await using tree = new TreeProcess({ path }, library, join(folder.path, 'words'))
  expect(await tree.answer()).toBe('open')
  expect(await tree.call('setSync', '/old', { kept: true })).toBe(null)
  for (const after of [0, 1, 0]) {
    tree.fail(call, errno, call === Call.page ? after : 0)
    expect(await tree.call('fill', '/new', 1)).toBe(code)
    tree.fail(call, errno)
    expect(await tree.call('setTogether', 'x', 'y')).toEqual([code, code])
    expect(await tree.call('deleteSync', '/old')).toBe(code)
    expect(await tree.call('get', '/')).toEqual({ old: { kept: true } })
  }
  tree.fail(Call.none, 0)
  expect(await tree.call('get', '/')).toEqual({ old: { kept: true } })
  expect(await tree.call('setTogether', 'x', 'y')).toEqual(['ok', 'ok'])
  expect(await tree.call('get', '/')).toEqual({ old: { kept: true }, x: 'x', y: 'y' })
  expect(await tree.call('fill', '/new', 1)).toBe(null)
  expect(await tree.call('deleteSync', '/new')).toBe(null)
  expect(await tree.finish()).toBe(0)
  await using reopened = await openTree({ path })
  expect(reopened.get('/')).toEqual({ old: { kept: true }, x: 'x', y: 'y' })
  reopened.deleteSync('/')
  expect(await reclaimed(reopened)).toMatchObject({ rows: 0, graves: 0 })
}

test.skipIf(!canBuild)('no space at a page fails the write, and later ones work', async () => {
  await expectSurvived(Call.page, ENOSPC, 'ERR_STORE_FULL')
})

test.skipIf(!canBuild)('no quota at a page fails the write, and later ones work', async () => {
  await expectSurvived(Call.page, EDQUOT, 'ERR_STORE_FULL')
})

test.skipIf(!canBuild)('an I/O error at a page fails the write, and later ones work', async () => {
  await expectSurvived(Call.page, EIO, 'ERR_STORE_FAILED')
})

test.skipIf(!canBuild)(
  'an I/O error at the sync fails the write, and later ones work',
  async () => {
    await expectSurvived(Call.sync, EIO, 'ERR_STORE_FAILED')
  },
)

test.skipIf(!canBuild)('no space at the sync fails the write, and later ones work', async () => {
  await expectSurvived(Call.sync, ENOSPC, 'ERR_STORE_FULL')
})

test.skipIf(!canBuild)(
  'what is staged while the disk is full goes when there is room again',
  async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'data')
    await using tree = new TreeProcess({ path }, library, join(folder.path, 'words'))
    expect(await tree.answer()).toBe('open')
    expect(await tree.call('begin', 2)).toBe(null)
    tree.fail(Call.page, ENOSPC)
    expect(await tree.call('goOn', 1)).toBe('ERR_STORE_FULL')
    expect(await tree.call('setSync', '/a', 1)).toBe('ERR_STORE_FULL')
    tree.fail(Call.none, 0)
    expect(await tree.call('setSync', '/a', 1)).toBe(null)
    const stats = async () => (await tree.call('stats')) as StoreStats
    while ((await stats()).graves > 0);
    expect((await stats()).rows).toBe(1)
    expect(await tree.finish()).toBe(0)
  },
)

test.skipIf(!canBuild)(
  'an I/O error at the meta page ends the store with a clear error',
  async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'data')
    await using tree = new TreeProcess({ path }, library, join(folder.path, 'words'))
    expect(await tree.answer()).toBe('open')
    expect(await tree.call('setSync', '/old', { kept: true })).toBe(null)
    tree.fail(Call.meta, EIO)
    expect(await tree.call('setSync', '/new', 1)).toBe('ERR_STORE_FAILED')
    tree.fail(Call.none, 0)
    expect(await tree.call('setSync', '/new', 1)).toBe('ERR_STORE_FAILED')
    expect(await tree.call('setTogether', 'x', 'y')).toEqual([
      'ERR_STORE_FAILED',
      'ERR_STORE_FAILED',
    ])
    const read = await tree.call('get', '/')
    expect([{ old: { kept: true } }, 'ERR_STORE_FAILED']).toContainEqual(read)
    await tree.finish()
    await using reopened = await openTree({ path })
    const kept = reopened.get('/') as { old: unknown }
    expect(kept.old).toEqual({ kept: true })
    reopened.setSync('/new', 2)
    expect(reopened.get('/new')).toBe(2)
  },
)

test.skipIf(!canBuild)(
  'an I/O error at a sync of relaxed writes is told to the next writer',
  async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'data')
    await using tree = new TreeProcess(
      { path, durability: 'relaxed' },
      library,
      join(folder.path, 'words'),
    )
    expect(await tree.answer()).toBe('open')
    expect(await tree.call('setSync', '/a', 1)).toBe(null)
    tree.fail(Call.sync, EIO)
    let answer = await tree.call('setSync', '/a', 2)
    while (answer === null) answer = await tree.call('setSync', '/a', 2)
    expect(answer).toBe('ERR_STORE_FAILED')
    tree.fail(Call.none, 0)
    expect(await tree.call('setSync', '/a', 3)).toBe(null)
    tree.fail(Call.sync, EIO)
    expect(await tree.finish()).toBe(0)
    expect(await tree.answer()).toBe('ERR_STORE_FAILED')
    await using reopened = await openTree({ path })
    expect(reopened.get('/a')).toBe(3)
  },
)

test('a tree that reached maxBytes can be read and emptied, and then written again', async () => {
  using folder = temporaryFolder()
  const maxBytes = 3_000_000
  await using tree = await openTree({
    path: folder.path,
    durability: 'relaxed',
    maxBytes,
    log: { maxBytes: 0 },
  })
  const full: unknown = expect.objectContaining({ code: 'ERR_STORE_FULL' })
  let written = 0
  expect(() => {
    for (; ; written++) tree.setSync(`/r${written}`, 'x'.repeat(10_000))
  }).toThrow(full)
  expect(written).toBeGreaterThan(150)
  await expect(tree.push('/list', 'x'.repeat(10_000))).rejects.toThrow(full)
  const stager = tree.store.stage()
  expect(() => {
    for (let index = 0; index < 10; index++) {
      stager.write(Buffer.from(`${index === 0 ? '[' : ','}"${'x'.repeat(1_000_000)}"`))
    }
  }).toThrow(full)
  expect(tree.stats().fileBytes).toBeLessThan(2 * maxBytes)
  expect(tree.get('/r0')).toBe('x'.repeat(10_000))
  for (let index = 0; index < written; index += 2) tree.deleteSync(`/r${index}`)
  await reclaimed(tree)
  tree.setSync('/again', 'x'.repeat(10_000))
  expect(tree.get('/r1')).toBe('x'.repeat(10_000))
  expect(tree.stats().fileBytes).toBeLessThan(2 * maxBytes)
  await tree.update('/', { r5: null, small: 1 })
  expect(await tree.transaction('/r7', () => null)).toBe(null)
})
