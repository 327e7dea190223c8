import fs, { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { openTree } from '../src/index.ts'
import type { OpenTreeOptions } from '../src/index.ts'
import { runProgram } from './program.ts'
import { read } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'

function epochOf(path: string): string {
  const info = JSON.parse(readFileSync(join(path, 'elkyn.json'), 'utf8')) as { epoch: string }
  return info.epoch
}

async function expectOneMoment(options: Partial<OpenTreeOptions>): Promise<void> {
  using folder = temporaryFolder()
  const path = join(folder.path, 'data')
  const copy = join(folder.path, 'copy')
  await using tree = await openTree({ path, durability: 'relaxed', rowMaxBytes: 200, ...options })
  const states = new Map<number, string | undefined>()
  const write = (version: number) => {
    tree.updateSync('/', {
      [`r${version % 50}`]: { version, text: 'x'.repeat(400) },
      version,
      [`r${(version + 25) % 50}`]: null,
    })
    states.set(version, read(tree.store, '/'))
  }
  let version = 0
  while (version < 300) write(++version)
  const done = new AbortController()
  const backup = tree.backup(copy).finally(() => {
    done.abort()
  })
  while (!done.signal.aborted) {
    write(++version)
    await setImmediate()
  }
  await backup
  write(++version)
  await using restored = await openTree({ path: copy, ...options })
  const copied = restored.get('/version') as number
  expect(copied).toBeGreaterThanOrEqual(300)
  expect(read(restored.store, '/')).toBe(states.get(copied))
  expect(epochOf(copy)).not.toBe(epochOf(path))
  restored.setSync('/own', 1)
  expect(tree.get('/own')).toBe(null)
  expect(restored.stats().rows).toBeGreaterThan(20)
}

test('backup() while others write is the tree of one moment', async () => {
  await expectOneMoment({})
})

test('backup() of a sealed tree while others write is the tree of one moment', async () => {
  await expectOneMoment({ encryptionKey: Buffer.alloc(32, 'key') })
})

test('an event of the original means nothing to its backup', async () => {
  using folder = temporaryFolder()
  const copy = join(folder.path, 'copy')
  await using tree = await openTree({ path: join(folder.path, 'data'), durability: 'relaxed' })
  tree.setSync('/a', 1)
  const events = tree.watch('/')[Symbol.asyncIterator]()
  const { id } = (await events.next()).value as { id: string }
  await events.return?.()
  await tree.backup(copy)
  await using restored = await openTree({ path: copy })
  restored.setSync('/b', 2)
  const resumed = restored.watch('/', { since: id })[Symbol.asyncIterator]()
  expect((await resumed.next()).value).toMatchObject({
    path: '/',
    value: { a: 1, b: 2 },
    sequence: 2,
  })
  await resumed.return?.()
})

test('backup() into a folder that holds something is refused', async () => {
  using folder = temporaryFolder()
  const copy = join(folder.path, 'copy')
  await using tree = await openTree({ path: join(folder.path, 'data'), durability: 'relaxed' })
  mkdirSync(copy)
  writeFileSync(join(copy, 'other'), 'text')
  const invalid: unknown = expect.objectContaining({ code: 'ERR_FOLDER_INVALID' })
  await expect(tree.backup(copy)).rejects.toThrow(invalid)
  await expect(tree.backup(join(copy, 'other'))).rejects.toThrow(invalid)
  await expect(tree.backup(join(copy, 'other', 'below'))).rejects.toThrow(invalid)
  await expect(tree.backup(join(folder.path, 'data'))).rejects.toThrow(invalid)
  expect(readdirSync(copy)).toEqual(['other'])
})

test('of two backups into one folder one is refused, and the other stays', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: join(folder.path, 'data'), durability: 'relaxed' })
  await using other = await openTree({ path: join(folder.path, 'data'), durability: 'relaxed' })
  tree.setSync('/a', 'x'.repeat(1_000_000))
  for (let round = 0; round < 10; round++) {
    const copy = join(folder.path, `copy-${round}`)
    const copies = await Promise.allSettled([tree.backup(copy), other.backup(copy)])
    expect(copies.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(copies[1]).toMatchObject({ reason: { code: 'ERR_FOLDER_INVALID' } })
    expect(readdirSync(copy).toSorted()).toEqual(['data.mdb', 'elkyn.json'])
  }
})

const full = new Error('ENOSPC: no space left on device')
const broken = new Error('EIO: i/o error')

function fail(error: Error): () => never {
  return () => {
    throw error
  }
}

test.each([
  {
    when: 'is claimed',
    begin: () => vi.spyOn(fs, 'writeFileSync').mockImplementationOnce(fail(full)),
    told: { code: 'ERR_STORE_FULL', cause: full },
  },
  {
    when: 'is written',
    begin: () => vi.spyOn(fs, 'writeSync').mockImplementationOnce(fail(full)),
    told: { code: 'ERR_STORE_FULL', cause: full },
  },
  {
    when: 'is synced',
    begin: () => vi.spyOn(fs, 'fsyncSync').mockImplementationOnce(fail(broken)),
    told: { code: 'ERR_STORE_FAILED', cause: broken },
  },
  {
    when: 'gets its name',
    begin: () => {
      vi.spyOn(fs, 'linkSync').mockImplementationOnce(fail(new Error('EPERM')))
      vi.spyOn(fs, 'renameSync').mockImplementationOnce(fail(full))
    },
    told: { code: 'ERR_STORE_FULL', cause: full },
  },
  {
    when: 'has its name synced',
    begin: () => {
      const sync = vi.spyOn(fs, 'fsyncSync').mockImplementationOnce(() => {})
      sync.mockImplementationOnce(fail(broken))
    },
    told: { code: 'ERR_STORE_FAILED', cause: broken },
  },
])(
  'a backup that fails when its folder, or elkyn.json in it, $when leaves nothing',
  async ({ begin, told }) => {
    using folder = temporaryFolder()
    const copy = join(folder.path, 'copy')
    await using tree = await openTree({ path: join(folder.path, 'data'), durability: 'relaxed' })
    tree.setSync('/a', 1)
    // Else its own name would be synced first.
    mkdirSync(copy)
    begin()
    syncBuiltinESMExports()
    try {
      await expect(tree.backup(copy)).rejects.toMatchObject(told)
    } finally {
      vi.restoreAllMocks()
      syncBuiltinESMExports()
    }
    expect(readdirSync(copy)).toEqual([])
    await tree.backup(copy)
    await using restored = await openTree({ path: copy })
    expect(restored.get('/a')).toBe(1)
  },
)

test('a full disk is one also where the folder of a backup cannot be made', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: join(folder.path, 'data'), durability: 'relaxed' })
  vi.spyOn(fs, 'mkdirSync').mockImplementationOnce(fail(full))
  syncBuiltinESMExports()
  try {
    await expect(tree.backup(join(folder.path, 'copy'))).rejects.toMatchObject({
      code: 'ERR_STORE_FULL',
    })
  } finally {
    vi.restoreAllMocks()
    syncBuiltinESMExports()
  }
})

test('a backup can be written to in a large step first', async () => {
  using folder = temporaryFolder()
  const options = { path: join(folder.path, 'data'), durability: 'relaxed' } as const
  await using tree = await openTree(options)
  const names = Array.from({ length: 4000 }, (_, index) => `n${index}`)
  const members = (text: string) => Object.fromEntries(names.map((name) => [name, text]))
  tree.setSync('/large', members('x'.repeat(2000)))
  const path = join(folder.path, 'copy')
  await tree.backup(path)
  // In a process of its own, which LMDB may end.
  await using program = runProgram('command-tree', [JSON.stringify({ ...options, path })])
  expect(await program.line()).toBe('"open"')
  program.process.stdin.write(`${JSON.stringify(['updateSync', '/large', members('y')])}\n`)
  expect(await program.line()).toBe('null')
  expect(await program.finish()).toBe(0)
  await using copy = await openTree({ ...options, path })
  expect(copy.get('/large')).toEqual(members('y'))
})
