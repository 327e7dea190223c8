import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { TreeValue, childPath, maxDepth, rootPath } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { compactTree, openTree } from '../src/index.ts'
import type { OpenTreeOptions } from '../src/index.ts'
import { runProgram } from './program.ts'
import { read, reclaimed } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** A tree whose values shrank, with a history. @returns what is in it, and the id of its first event. */
async function makeShrunk(
  options: OpenTreeOptions,
): Promise<{ text: string | undefined; since: string }> {
  await using tree = await openTree({ ...options, durability: 'relaxed' })
  tree.setSync('/', { '.priority': 'root', kept: { '.value': 1, '.priority': 2 } })
  const events = tree.watch('/')[Symbol.asyncIterator]()
  const { id } = (await events.next()).value as { id: string }
  await events.return?.()
  for (let record = 0; record < 15; record++) {
    const fields = Array.from({ length: 60 }, (_, field) => [`f${field}`, 'x'.repeat(100)])
    tree.setSync(`/records/r${record}`, { '.priority': record, ...Object.fromEntries(fields) })
    tree.updateSync(
      `/records/r${record}`,
      Object.fromEntries(fields.slice(3).map(([name]) => [name, null])),
    )
  }
  tree.setSync('/list', ['a', 'b', { c: 'x'.repeat(5000), d: [true] }])
  await reclaimed(tree)
  return { text: read(tree.store, '/', 'export'), since: id }
}

async function expectCompacted(options: Partial<OpenTreeOptions>): Promise<void> {
  using folder = temporaryFolder()
  const open = { path: folder.path, ...options }
  const { text, since } = await makeShrunk(open)
  const size = statSync(join(folder.path, 'data.mdb')).size
  const before = await openTree(open)
  const old = before.stats()
  using snapshot = before.store.snapshot()
  const { sequence } = snapshot
  snapshot.close()
  await before.close()
  await compactTree(open)
  expect(readdirSync(folder.path).toSorted()).toEqual(['data.mdb', 'elkyn.json'])
  expect(statSync(join(folder.path, 'data.mdb')).size).toBeLessThan(size)
  await using tree = await openTree(open)
  expect(read(tree.store, '/', 'export')).toBe(text)
  expect(tree.stats()).toMatchObject({ changes: old.changes, graves: 0 })
  expect(tree.stats().rows).toBeLessThan(old.rows / 2)
  tree.setSync('/new', 1)
  using after = tree.store.snapshot()
  expect(after.sequence).toBe(sequence + 1)
  const events = tree.watch('/', { since })[Symbol.asyncIterator]()
  expect((await events.next()).value).toMatchObject({ path: '/records/r0', sequence: 2 })
  await events.return?.()
  tree.deleteSync('/')
  expect(await reclaimed(tree)).toMatchObject({ rows: 0, graves: 0 })
}

test('compactTree() keeps values and history and merges what shrank', async () => {
  await expectCompacted({})
})

test('compactTree() keeps values and history of a sealed tree', async () => {
  await expectCompacted({ encryptionKey: Buffer.alloc(32, 'key') })
})

test('compactTree() takes an empty tree, a leaf, and twice the same', async () => {
  for (const value of [null, 'leaf', { '.value': 5, '.priority': 'p' }, ['a']]) {
    using folder = temporaryFolder()
    const { path } = folder
    const tree = await openTree({ path })
    tree.setSync('/', value)
    const text = read(tree.store, '/', 'export')
    await tree.close()
    await compactTree({ path })
    await compactTree({ path })
    await using again = await openTree({ path })
    expect(read(again.store, '/', 'export')).toBe(text)
    again.setSync('/a', 1)
    expect(again.get('/a')).toBe(1)
    using snapshot = again.store.snapshot()
    expect(snapshot.sequence).toBe(value === null ? 1 : 2)
  }
})

test('compactTree() takes several databases, each as deep as a tree can be', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  const keys = Array.from({ length: maxDepth }, (_, index) => `k${index}`)
  for (const value of ['short', 'x'.repeat(5000)]) {
    const deep = ['shop', ...keys].reduce(childPath, rootPath)
    {
      await using tree = await openTree({ path, databases: 'several' })
      const pairs = [{ path: deep, value: TreeValue.fromNode(value) }]
      expect(tree.store.commit([{ pairs }])).toMatchObject([{ ok: true }])
    }
    await compactTree({ path })
    await using tree = await openTree({ path })
    using snapshot = tree.store.snapshot()
    expect(snapshot.get(deep).toJSON()).toBe(value)
  }
})

test('what an earlier compaction left is no hindrance', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  const { text } = await makeShrunk({ path })
  mkdirSync(join(path, 'compacting'))
  writeFileSync(join(path, 'compacting', 'data.mdb'), 'half')
  await compactTree({ path })
  expect(existsSync(join(path, 'compacting'))).toBe(false)
  await using tree = await openTree({ path })
  expect(read(tree.store, '/', 'export')).toBe(text)
})

test('what an earlier compaction left goes when the folder is opened for writing', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  const { text } = await makeShrunk({ path })
  mkdirSync(join(path, 'compacting'))
  writeFileSync(join(path, 'compacting', 'data.mdb'), 'half')
  {
    await using tree = await openTree({ path, readOnly: true })
    expect(read(tree.store, '/', 'export')).toBe(text)
  }
  expect(existsSync(join(path, 'compacting'))).toBe(true)
  await using tree = await openTree({ path })
  expect(existsSync(join(path, 'compacting'))).toBe(false)
  expect(read(tree.store, '/', 'export')).toBe(text)
})

test('who is refused because of a compaction leaves its work alone', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  await makeShrunk({ path })
  const isAtWork = () => existsSync(join(path, 'compacting'))
  let refused: unknown
  while (refused === undefined) {
    await using program = runProgram('compact-folder', [path])
    expect(await program.line()).toBe('compacting')
    while (!isAtWork() && program.process.exitCode === null) await setImmediate()
    program.process.kill('SIGSTOP')
    // It may have been done before it heard that.
    if (isAtWork()) {
      refused = await openTree({ path }).catch((error: unknown) => [error, isAtWork()])
    }
    program.process.kill('SIGCONT')
    expect(await program.line()).toBe('done')
  }
  expect(refused).toEqual([expect.objectContaining({ code: 'ERR_STORE_LOCKED' }), true])
})

test('a compaction that is killed leaves the folder as it was', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  const { text } = await makeShrunk({ path })
  for (let round = 0; round < 4; round++) {
    await using program = runProgram('compact-folder', [path])
    expect(await program.line()).toBe('compacting')
    // Some way into it.
    const isThere = () => existsSync(join(path, 'compacting', 'data.mdb'))
    while (!isThere() && program.process.exitCode === null) await setImmediate()
    for (let turn = 0; turn < round * 300; turn++) await setImmediate()
    await program.kill()
    await using tree = await openTree({ path })
    expect(existsSync(join(path, 'compacting'))).toBe(false)
    expect(read(tree.store, '/', 'export')).toBe(text)
    tree.setSync('/kept/.priority', 2)
    expect(tree.keys('/records').length).toBe(15)
  }
})
