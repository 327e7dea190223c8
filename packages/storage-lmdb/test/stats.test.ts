import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { openTree } from '../src/index.ts'
import { at, reclaimed } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'

test('stats() counts commits, and the writes that shared them', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path })
  expect(tree.stats().commits).toEqual({ count: 0, writes: 0, bySize: [] })
  await Promise.all(['/a', '/b', '/c'].map(async (path) => tree.set(path, 1)))
  tree.setSync('/d', 1)
  expect(tree.stats().commits).toEqual({ count: 2, writes: 4, bySize: [1, 0, 1] })
})

test('what a listener queues while the queue is emptied leaves no commit behind', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path })
  let echo: Promise<void> | undefined
  tree.store.subscribe(() => {
    echo ??= tree.set('/b', 1)
  })
  const queued = tree.set('/a', 1)
  tree.setSync('/c', 1)
  await Promise.all([queued, echo])
  await setImmediate()
  expect(tree.stats().commits).toEqual({ count: 3, writes: 3, bySize: [3] })
})

test('stats() says how old the oldest snapshot is', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path })
  tree.setSync('/a', 0)
  using snapshot = tree.store.snapshot()
  for (let value = 1; value <= 3; value++) tree.setSync('/a', value)
  expect(tree.stats().oldestSnapshotCommits).toBeGreaterThanOrEqual(3)
  expect(tree.stats().snapshots).toBeGreaterThanOrEqual(1)
  snapshot.close()
  tree.store.idle()
  expect(tree.stats()).toMatchObject({ snapshots: 0, oldestSnapshotCommits: 0 })
})

test('stats() says what is stored, how deep, and how much room the file has', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, log: { maxBytes: 0 } })
  expect(tree.stats()).toMatchObject({ rows: 0, indexEntries: 0, changes: 0, graves: 0 })
  tree.setSync('/a', 1)
  // The whole tree is one row, in one page.
  expect(tree.stats()).toMatchObject({ rows: 1, depth: 1 })
  const records = Array.from({ length: 1000 }, (_, index) => [`r${index}`, 'x'.repeat(1000)])
  tree.setSync('/list', Object.fromEntries(records))
  const full = tree.stats()
  // A row each, one for `a`, and those of the two heads.
  expect(full.rows).toBe(1003)
  expect(full.depth).toBeGreaterThan(1)
  // Where the commit took long, the file was made some MiB longer than its pages.
  expect(full.fileBytes).toBeLessThanOrEqual(statSync(join(folder.path, 'data.mdb')).size)
  expect(full.fileBytes - full.freeBytes).toBeGreaterThan(1_000_000)
  tree.deleteSync('/list')
  const empty = await reclaimed(tree)
  expect(empty.rows).toBe(2)
  expect(empty.fileBytes - full.fileBytes).toBeLessThan(200_000)
  expect(empty.freeBytes - full.freeBytes).toBeGreaterThan(1_000_000)
})

test('stats() counts the same bytes in a tree that was opened to read beside the writer', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  const writes = Array.from({ length: 300 }, (_, index) => ({
    pairs: [{ path: at('/a'), value: index }],
    idempotencyKey: { client: `client-${index}`, number: 1, fingerprint: 'f'.repeat(200) },
  }))
  tree.store.commit(writes)
  await using reader = await openTree({ path: folder.path, readOnly: true })
  const { fileBytes, freeBytes } = tree.stats()
  expect(reader.stats()).toMatchObject({ fileBytes, freeBytes })
})

test('the map of the file grows under open snapshots', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  tree.setSync('/first', 'x'.repeat(5000))
  const { mapBytes } = tree.stats()
  using before = tree.store.snapshot()
  const text = 'y'.repeat(1_000_000)
  let written = 0
  while (tree.stats().mapBytes === mapBytes) tree.setSync(`/more/n${written++}`, text)
  expect(tree.stats().fileBytes).toBeLessThanOrEqual(tree.stats().mapBytes)
  expect([...before.keys(at('/'))]).toEqual(['first'])
  expect(before.get(at('/first')).node).toBe('x'.repeat(5000))
  using after = tree.store.snapshot()
  expect([...after.keys(at('/more'))].length).toBe(written)
  expect(after.get(at(`/more/n${written - 1}`)).node).toBe(text)
})
