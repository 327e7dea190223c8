import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromJson, parsePath } from '@elkyn/tree'
import type { StagedPair } from '@elkyn/tree'
import { expect, onTestFinished, test } from 'vitest'
import { openTree } from '../src/index.ts'
import { openStore } from './open-store.ts'
import { at } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'

test('a thread that writes shows that it does: a step for each row, and no sync when it is through', async () => {
  const path = await mkdtemp(join(tmpdir(), 'elkyn-progress-'))
  onTestFinished(() => rm(path, { recursive: true }))
  const words = new Int32Array(new SharedArrayBuffer(8))
  await using tree = await openTree({ path, progress: { words } })
  const before = words[0] ?? 0
  const seen: number[] = []
  tree.store.commit([
    { pairs: [{ path: parsePath('/a'), value: fromJson(Array(1000).fill('x'.repeat(100))) }] },
    {
      pairs: [
        {
          path: parsePath('/b'),
          value: () => {
            seen.push(words[1] ?? -1)
            return fromJson(1)
          },
        },
      ],
    },
  ])
  expect((words[0] ?? 0) - before).toBeGreaterThan(1000)
  expect(seen).toEqual([0])
  expect(words[1]).toBe(0)
})

test('a thread that writes shows that it does, too, for each pair and each server value, before it comes to rows', async () => {
  using folder = temporaryFolder()
  const words = new Int32Array(new SharedArrayBuffer(8))
  await using store = openStore({ path: folder.path, progress: { words } })
  const stager = store.stage()
  const values = Array<string>(100).fill('{".sv":{"increment":1}}')
  stager.write(Buffer.from(`[${values.join()}]`))
  const [{ value }] = stager.end() as [StagedPair]
  const numbers = Array.from({ length: 100 }, (_, index) => ({ path: at(`/n${index}`), value: 1 }))
  const before = words[0] ?? 0
  let steps = 0
  store.commit([
    {
      pairs: [...numbers, { path: at('/staged'), value }],
      judge: () => {
        steps = (words[0] ?? 0) - before
        return undefined
      },
    },
  ])
  expect(steps).toBeGreaterThanOrEqual(2 * 101 + 2 * 100)
})
