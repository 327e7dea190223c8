import { once } from 'node:events'
import { mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { TreeError } from '@elkyn/tree'
import { afterEach, expect, test, vi } from 'vitest'
import { compactTree, openTree } from '../src/index.ts'
import { Lmdb } from '../src/lmdb.ts'
import { runProgram } from './program.ts'
import { temporaryFolder } from './temporary-folder.ts'

const locked: unknown = expect.objectContaining({ code: 'ERR_STORE_LOCKED' })

function sockets(path: string): string[] {
  return readdirSync(path).filter((name) => name.endsWith('.sock'))
}

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

test('a folder that another process has open is refused until that one closes it', async () => {
  using folder = temporaryFolder()
  await using holder = runProgram('hold-folder', [folder.path])
  expect(await holder.line()).toBe('open')
  await expect(openTree({ path: folder.path })).rejects.toThrow(locked)
  await expect(openTree({ path: folder.path, readOnly: true })).rejects.toThrow(locked)
  await expect(compactTree({ path: folder.path })).rejects.toThrow(locked)
  await expect(openTree({ path: folder.path })).rejects.toThrow(String(holder.process.pid))
  expect(await holder.finish()).toBe(0)
  await using tree = await openTree({ path: folder.path })
  await using other = runProgram('hold-folder', [folder.path])
  expect(await other.line()).toBe('ERR_STORE_LOCKED')
  tree.setSync('/a', 1)
})

test('a process that is stuck still holds its folder', async () => {
  using folder = temporaryFolder()
  await using holder = runProgram('hold-folder', [folder.path, 'stuck'])
  expect(await holder.line()).toBe('open')
  for (let knock = 0; knock < 3; knock++) {
    await expect(openTree({ path: folder.path })).rejects.toThrow(locked)
  }
})

test.runIf(process.platform === 'linux')(
  'a process of another container is another one, also with the same number and start',
  async () => {
    using folder = temporaryFolder()
    const tree = await openTree({ path: folder.path })
    const [name = ''] = sockets(folder.path)
    await tree.close()
    const space = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))![0].padStart(10, '0')
    const others = name.replace(`${space}-`, '0000000001-')
    expect(others).not.toBe(name)
    const other = createServer().listen(join(folder.path, others))
    await once(other, 'listening')
    await expect(openTree({ path: folder.path })).rejects.toThrow(locked)
    other.close()
    await once(other, 'close')
    await using again = await openTree({ path: folder.path })
    expect(again.get('/')).toBe(null)
  },
)

test('a process of an older version finds that the folder is open', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path })
  expect(tree.get('/')).toBe(null)
  // It passes over sockets of other names.
  expect(sockets(folder.path)).toEqual([expect.stringMatching(/^open-\d+-\d+-\d+-\d+\.sock$/)])
})

test('a folder whose process was killed opens, and what it left is removed', async () => {
  using folder = temporaryFolder()
  await using holder = runProgram('hold-folder', [folder.path])
  expect(await holder.line()).toBe('open')
  expect(sockets(folder.path).length).toBe(1)
  const [left] = sockets(folder.path)
  await holder.kill()
  expect(sockets(folder.path)).toEqual([left])
  await using tree = await openTree({ path: folder.path })
  expect(tree.get('/')).toBe(null)
  expect(sockets(folder.path).length).toBe(1)
  expect(sockets(folder.path)).not.toContain(left)
})

test('a process may open its folder more than once', async () => {
  using folder = temporaryFolder()
  const first = await openTree({ path: folder.path })
  const second = await openTree({ path: folder.path })
  first.setSync('/a', 1)
  expect(second.get('/a')).toBe(1)
  second.setSync('/b', 2)
  expect(first.get('/')).toEqual({ a: 1, b: 2 })
  await expect(compactTree({ path: folder.path })).rejects.toThrow(locked)
  await first.close()
  await first.close()
  await using other = runProgram('hold-folder', [folder.path])
  expect(await other.line()).toBe('ERR_STORE_LOCKED')
  await second.close()
  expect(sockets(folder.path)).toEqual([])
  await compactTree({ path: folder.path })
})

test('readers that open together do not keep a writer from opening', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  await (await openTree({ path })).close()
  const readers = await Promise.all([1, 2, 3].map(() => openTree({ path, readOnly: true })))
  await using writer = await openTree({ path })
  writer.setSync('/a', 1)
  for (const reader of readers) {
    expect(reader.get('/a')).toBe(1)
    expect(() => reader.setSync('/a', 2)).toThrow(TypeError)
    await reader.close()
  }
  expect(sockets(path)).toHaveLength(1)
})

test('what threads left that were opening the folder is removed', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  const tree = await openTree({ path })
  const [own = ''] = sockets(path)
  await tree.close()
  const [, process = ''] = /^open-(\d+-\d+)-/.exec(own) ?? []
  // Files that nobody listens at: the second one as of an earlier process with the same numbers.
  for (const name of ['turn-1-12345.sock', `turn-${process}.sock`]) {
    writeFileSync(join(path, name), '')
  }
  await using again = await openTree({ path })
  again.setSync('/a', 1)
  expect(sockets(path)).toEqual([expect.stringMatching(/^open-/)])
})

test('a tree whose folder has gone closes', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'data')
  const tree = await openTree({ path })
  rmSync(path, { recursive: true })
  await expect(tree.close()).resolves.toBeUndefined()
})

test('two copies of this package in one thread hold a folder each for itself', async () => {
  using folder = temporaryFolder()
  const first = await openTree({ path: folder.path })
  vi.resetModules()
  const copy = (await import('../src/index.ts')).openTree
  expect(copy).not.toBe(openTree)
  const second = await copy({ path: folder.path })
  expect(sockets(folder.path)).toHaveLength(2)
  await second.close()
  expect(sockets(folder.path)).toHaveLength(1)
  await first.close()
})

test('a process knows its own openings when the clock was set in between', async () => {
  using folder = temporaryFolder()
  await using first = await openTree({ path: folder.path })
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(Date.now() + 3_600_000)
  await using second = await openTree({ path: folder.path })
  first.setSync('/a', 1)
  expect(second.get('/a')).toBe(1)
})

test.skipIf(process.platform !== 'linux')('a folder may have a long path', async () => {
  using folder = temporaryFolder()
  for (const length of [20, 45, 60, 250]) {
    const path = join(folder.path, 'x'.repeat(length))
    mkdirSync(path)
    await using holder = runProgram('hold-folder', [path])
    expect(await holder.line()).toBe('open')
    await expect(openTree({ path })).rejects.toThrow(locked)
    await holder.finish()
    const tree = await openTree({ path })
    expect(sockets(path).length).toBe(1)
    await tree.close()
    expect(sockets(path)).toEqual([])
  }
})

test('an opening that fails lets go of the folder', async () => {
  using folder = temporaryFolder()
  const tree = await openTree({ path: folder.path })
  await tree.close()
  mkdirSync(join(folder.path, 'other'))
  await expect(openTree({ path: folder.path, encryptionKey: Buffer.alloc(32) })).rejects.toThrow(
    expect.objectContaining({ code: 'ERR_KEY_WRONG' }),
  )
  expect(sockets(folder.path)).toEqual([])
  await using holder = runProgram('hold-folder', [folder.path])
  expect(await holder.line()).toBe('open')
})

test.runIf(process.platform === 'linux')(
  'an opening that fails when it has the data open closes that',
  async () => {
    using folder = temporaryFolder()
    await (await openTree({ path: folder.path })).close()
    const full = new TreeError('ERR_STORE_FULL', 'Cannot write: the disk is full')
    vi.spyOn(Lmdb.prototype, 'transact').mockImplementationOnce(() => {
      throw full
    })
    await expect(openTree({ path: folder.path, indexes: { '/a': ['b'] } })).rejects.toBe(full)
    expect(openFiles(folder.path)).toEqual([])
    await using tree = await openTree({ path: folder.path })
    expect(tree.indexes()).toEqual([])
  },
)

/** What this process has open in a folder. */
function openFiles(folder: string): string[] {
  return readdirSync('/proc/self/fd')
    .map(fileOf)
    .filter((file) => file.startsWith(folder))
}

function fileOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`)
  } catch {
    // As that of the list itself, it was closed meanwhile.
    return ''
  }
}
