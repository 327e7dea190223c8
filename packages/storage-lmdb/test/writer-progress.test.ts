import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromJson, parsePath } from '@elkyn/tree'
import { expect, onTestFinished, test } from 'vitest'
import { openTree } from '../src/index.ts'

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
