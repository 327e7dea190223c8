import { expect, test } from 'vitest'
import { openTree } from '../src/index.ts'
import { temporaryFolder } from './temporary-folder.ts'

test('stats() counts commits, and the writes that shared them', async () => {
  using folder = temporaryFolder()
  await using tree = await openTree({ path: folder.path })
  expect(tree.stats().commits).toEqual({ count: 0, writes: 0, bySize: [] })
  await Promise.all(['/a', '/b', '/c'].map(async (path) => tree.set(path, 1)))
  tree.setSync('/d', 1)
  expect(tree.stats().commits).toEqual({ count: 2, writes: 4, bySize: [1, 0, 1] })
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
