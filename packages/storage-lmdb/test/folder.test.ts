import fs, {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { rootPath } from '@elkyn/tree'
import { expect, test, vi } from 'vitest'
import { compactTree, openTree } from '../src/index.ts'
import type { OpenTreeOptions } from '../src/index.ts'
import { read } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { createBarrier } from './threads/barrier.ts'
import { runThread } from './threads/thread.ts'

const key = Buffer.alloc(32, 'key')

/** Name, bytes and time of each file of a folder. */
function filesOf(path: string): unknown[] {
  return readdirSync(path)
    .toSorted()
    .map((name) => {
      const file = join(path, name)
      return [name, statSync(file, { bigint: true }).mtimeNs, readFileSync(file, 'latin1')]
    })
}

async function makeTree(options: OpenTreeOptions): Promise<void> {
  await using tree = await openTree(options)
  tree.setSync('/a', { b: 1 })
}

/** The code that opening fails with, after which every file is as it was. */
async function codeOfUntouched(options: OpenTreeOptions): Promise<unknown> {
  const before = filesOf(options.path)
  const codes: unknown[] = []
  for (const open of [
    openTree,
    compactTree,
    async () => openTree({ ...options, readOnly: true }),
  ]) {
    await expect(
      open(options).catch((error: { code?: unknown }) => {
        codes.push(error.code)
        throw error
      }),
    ).rejects.toThrow('Cannot')
  }
  expect(filesOf(options.path)).toEqual(before)
  expect(new Set(codes).size).toBe(1)
  return codes[0]
}

test('a folder and a backup are made for their owner alone, and one that is there keeps its mode', async () => {
  using folder = temporaryFolder()
  const modeOf = (path: string): number => statSync(path).mode & 0o777
  const made = join(folder.path, 'above', 'made')
  {
    await using tree = await openTree({ path: made })
    await tree.backup(join(folder.path, 'backup'))
  }
  expect([modeOf(made), modeOf(join(folder.path, 'backup'))]).toEqual([0o700, 0o700])
  expect(modeOf(join(folder.path, 'above'))).not.toBe(0o700)
  const there = join(folder.path, 'there')
  mkdirSync(there, { mode: 0o750 })
  await makeTree({ path: there })
  expect(modeOf(there)).toBe(0o750)
})

test('a folder that nobody may write in is refused, also to read, in words that say so', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  await makeTree({ path })
  // Who runs the tests may be allowed everything.
  const access = vi.spyOn(fs, 'accessSync').mockImplementation(() => {
    throw new Error('EACCES: permission denied')
  })
  syncBuiltinESMExports()
  try {
    for (const readOnly of [false, true]) {
      await expect(openTree({ path, readOnly })).rejects.toMatchObject({
        code: 'ERR_FOLDER_INVALID',
        message: `Cannot open "${path}": it has to be writable, also to read from it: EACCES: permission denied`,
      })
    }
  } finally {
    access.mockRestore()
    syncBuiltinESMExports()
  }
})

test('a folder of an unknown format is refused and nothing in it is touched', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  await makeTree({ path })
  for (const formatVersion of [0, 2, 1.5, 99]) {
    writeFileSync(join(path, 'elkyn.json'), JSON.stringify({ formatVersion, whatever: true }))
    expect(await codeOfUntouched({ path })).toBe('ERR_FORMAT_UNKNOWN')
  }
})

test('a folder with a damaged elkyn.json is refused and nothing in it is touched', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  await makeTree({ path })
  const file = join(path, 'elkyn.json')
  const whole = readFileSync(file, 'utf8')
  const damaged = ['', whole.slice(0, -5), 'null', '[]', '{}', '{"formatVersion":"1","epoch":"e"}']
  for (const text of [...damaged, '{"formatVersion":1}', '{"formatVersion":1,"epoch":5}']) {
    writeFileSync(file, text)
    expect(await codeOfUntouched({ path })).toBe('ERR_FOLDER_INVALID')
  }
  rmSync(file)
  expect(await codeOfUntouched({ path })).toBe('ERR_FOLDER_INVALID')
  mkdirSync(file)
  await expect(openTree({ path })).rejects.toThrow(
    expect.objectContaining({ code: 'ERR_FOLDER_INVALID' }),
  )
  rmSync(file, { recursive: true })
  writeFileSync(file, whole)
  await using tree = await openTree({ path })
  expect(tree.get('/')).toEqual({ a: { b: 1 } })
})

test('a folder is opened with the key it was made with or not at all', async () => {
  using sealed = temporaryFolder()
  using plain = temporaryFolder()
  await makeTree({ path: sealed.path, encryptionKey: key })
  await makeTree({ path: plain.path })
  const wrong = Buffer.alloc(32, 'other')
  expect(await codeOfUntouched({ path: sealed.path })).toBe('ERR_KEY_REQUIRED')
  expect(await codeOfUntouched({ path: sealed.path, encryptionKey: wrong })).toBe('ERR_KEY_WRONG')
  expect(await codeOfUntouched({ path: plain.path, encryptionKey: key })).toBe('ERR_KEY_WRONG')
  await using tree = await openTree({ path: sealed.path, encryptionKey: key })
  expect(tree.get('/')).toEqual({ a: { b: 1 } })
})

test('options out of their range are refused before a folder is made', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'new')
  const bad: Partial<OpenTreeOptions>[] = [
    { rowMaxBytes: 0 },
    { rowMaxBytes: 65_537 },
    { rowMaxBytes: NaN },
    { maxBytes: -1 },
    { rowMaxBytes: 1.5 },
    { rowMaxBytes: '4000' as never },
    { maxBytes: 1e6 + 0.5 },
    { maxReaders: 0 },
    { maxReaders: 1.5 },
    { maxReaders: Infinity },
    { log: { maxBytes: -1 } },
    { log: { maxBytes: 0.5 } },
    { log: { maxAgeMs: NaN } },
    { clients: { max: 0 } },
    { clients: { max: 1.5 } },
    { clients: { maxAgeMs: -1 } },
    { clients: { maxForgotten: 0.1 } },
    { durability: 'most' as never },
    { databases: 'many' as never },
    { encryptionKey: new Uint8Array(31) },
    { encryptionKey: new Uint8Array(33) },
  ]
  for (const options of bad) {
    await expect(openTree({ path, ...options })).rejects.toThrow(RangeError)
    await expect(compactTree({ path, ...options })).rejects.toThrow(RangeError)
  }
  expect(readdirSync(folder.path)).toEqual([])
})

test('an encryption key that is no bytes is refused before a folder is made', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'new')
  for (const bad of ['x'.repeat(32), 'é'.repeat(32), Array(32).fill(1), new Uint16Array(32)]) {
    const options = { path, encryptionKey: bad as never }
    await expect(openTree(options)).rejects.toThrow(TypeError)
    await expect(compactTree(options)).rejects.toThrow(TypeError)
  }
  expect(readdirSync(folder.path)).toEqual([])
})

test('a folder has to be named', async () => {
  for (const options of [{}, { path: '' }, { path: undefined }, { path: 5 }] as never[]) {
    for (const open of [openTree, compactTree]) {
      const error: unknown = await open(options).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(TypeError)
      expect(String(error)).toContain('path')
    }
  }
})

test.for([{ '.priority': 1, a: 'x'.repeat(5000), b: { '.value': 2, '.priority': 'p' } }, null])(
  'what is sealed can be taken over into a folder with another key',
  async (value) => {
    using folder = temporaryFolder()
    await using old = await openTree({ path: join(folder.path, 'old'), encryptionKey: key })
    old.setSync('/', value)
    const path = join(folder.path, 'new')
    const next = Buffer.alloc(32, 'next')
    {
      await using tree = await openTree({ path, encryptionKey: next })
      const stager = tree.store.stage({ path: rootPath, depth: -1 })
      using snapshot = old.store.snapshot()
      const blocks = snapshot.jsonBlocks(rootPath, 'export') ?? [Buffer.from('null')]
      for (const block of blocks) stager.write(block)
      const [staged] = stager.end()
      await tree.store.write({ pairs: [{ path: rootPath, value: staged!.value }] })
      expect(read(tree.store, '/', 'export')).toBe(read(old.store, '/', 'export'))
    }
    await expect(openTree({ path, encryptionKey: key })).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_KEY_WRONG' }),
    )
  },
)

test('a folder that can not be one is refused', async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'file')
  writeFileSync(file, 'text')
  const invalid: unknown = expect.objectContaining({ code: 'ERR_FOLDER_INVALID' })
  await expect(openTree({ path: file })).rejects.toThrow(invalid)
  await expect(openTree({ path: join(file, 'below') })).rejects.toThrow(invalid)
  await expect(openTree({ path: join(folder.path, 'missing'), readOnly: true })).rejects.toThrow(
    invalid,
  )
  await expect(compactTree({ path: join(folder.path, 'missing') })).rejects.toThrow(invalid)
  expect(readdirSync(folder.path)).toEqual(['file'])
  expect(readFileSync(file, 'utf8')).toBe('text')
})

test('with create: false no database is made, and one that is there is opened for writing', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  for (const empty of [path, join(path, 'missing')]) {
    await expect(openTree({ path: empty, create: false })).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_FOLDER_INVALID',
        message: `Cannot open "${empty}": there is no database in it`,
      }),
    )
  }
  expect(readdirSync(path)).toEqual([])
  await makeTree({ path })
  await using tree = await openTree({ path, create: false })
  tree.setSync('/a', 2)
  expect(tree.get('/')).toEqual({ a: 2 })
})

test('a new folder is made with all that is above it', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'a', 'b')
  await makeTree({ path })
  expect(readdirSync(path).toSorted()).toEqual(['data.mdb', 'elkyn.json', 'lock.mdb'])
  const info: unknown = JSON.parse(readFileSync(join(path, 'elkyn.json'), 'utf8'))
  expect(info).toEqual({ formatVersion: 1, epoch: expect.any(String) as string, hasData: true })
})

test('threads that make a folder at the same moment share one history', async () => {
  for (let round = 0; round < 3; round++) {
    using folder = temporaryFolder()
    const barrier = createBarrier(4)
    const threads = Array.from({ length: 4 }, (_, index) =>
      runThread<{ id: string; tree: unknown }>('open-together', {
        options: {
          path: folder.path,
          durability: 'relaxed',
          ...(round % 2 ? { encryptionKey: key } : {}),
        },
        barrier,
        name: `t${index}`,
      }),
    )
    const messages = await Promise.all(threads.map(async (thread) => thread.message()))
    await Promise.all(threads.map(async (thread) => thread.ended()))
    const { epoch } = JSON.parse(readFileSync(join(folder.path, 'elkyn.json'), 'utf8')) as {
      epoch: string
    }
    expect(messages.map(({ id }) => id.split('-')[0])).toEqual(Array(4).fill(epoch))
    for (const { tree } of messages)
      expect(tree).toEqual({ t0: 't0', t1: 't1', t2: 't2', t3: 't3' })
    expect(readdirSync(folder.path).toSorted()).toEqual(['data.mdb', 'elkyn.json', 'lock.mdb'])
  }
})

test.runIf(existsSync('/proc'))('a folder that is there and takes none is refused', async () => {
  await expect(openTree({ path: '/proc/none/data' })).rejects.toThrow(
    expect.objectContaining({ code: 'ERR_FOLDER_INVALID' }),
  )
})

test('a folder remembers whether it holds one database or several', async () => {
  using folder = temporaryFolder()
  for (const [name, made, other] of [
    ['one', 'one', 'several'],
    ['several', 'several', 'one'],
  ] as const) {
    const path = join(folder.path, name)
    await makeTree({ path, databases: made })
    expect(await codeOfUntouchedOpen({ path, databases: other })).toBe('ERR_FOLDER_INVALID')
    await makeTree({ path, databases: made })
    await compactTree({ path })
    await using tree = await openTree({ path })
    await tree.backup(join(folder.path, `${name}-backup`))
    const copy = { path: join(folder.path, `${name}-backup`), databases: other }
    expect(await codeOfUntouchedOpen(copy)).toBe('ERR_FOLDER_INVALID')
  }
})

/** The code that opening fails with, to write and to read, after which every file is as it was. */
async function codeOfUntouchedOpen(options: OpenTreeOptions): Promise<unknown> {
  const before = filesOf(options.path)
  const failures = await Promise.allSettled([
    openTree(options),
    openTree({ ...options, readOnly: true }),
  ])
  expect(filesOf(options.path)).toEqual(before)
  const codes = failures.map((failure) =>
    failure.status === 'rejected' ? (failure.reason as { code: unknown }).code : undefined,
  )
  expect(codes[0]).toBe(codes[1])
  return codes[0]
}
