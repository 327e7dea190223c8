import assert from 'node:assert/strict'
import { join } from 'node:path'
import { openTree } from '@elkyn/storage-lmdb'
import type { Tree } from '@elkyn/storage-lmdb'
import { parsePath } from '@elkyn/tree'
import type { TreeWrite } from '@elkyn/tree'
import { recordKey } from '../records.ts'
import { spreadOf } from '../spread.ts'
import { makeTemporaryFolder } from '../temporary-folder.ts'

/** Lists of one length, grown at each row limit. */
export interface GrowthFigures {
  readonly children: number
  /** Children added a second, for each limit: the fastest of the rounds. */
  readonly rates: readonly number[]
}

export interface GrowthOptions {
  readonly rowLimits: readonly number[]
  readonly rounds: number
}

/** So many lists grow side by side, each by one child a commit. */
const LISTS = 64

/**
 * Adds children of 30 bytes to lists, one by one, until each has so many: what a small row that is
 * written again and again costs, up to the limit where it becomes rows of its children.
 */
export async function measureGrowth(
  children: number,
  { rowLimits, rounds }: GrowthOptions,
): Promise<GrowthFigures> {
  await using resources = new AsyncDisposableStack()
  const { path } = resources.use(await makeTemporaryFolder())
  const trees: Tree[] = []
  for (const rowMaxBytes of rowLimits) {
    const options = { path: join(path, String(rowMaxBytes)), rowMaxBytes, log: { maxBytes: 0 } }
    trees.push(resources.use(await openTree(options)))
  }
  const rates = trees.map((): number[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, tree] of trees.entries()) {
      rates[index]!.push(grow(tree, `round${round}`, children))
      // Lets go of the snapshot that the check took.
      await new Promise(setImmediate)
    }
  }
  return { children, rates: rates.map((each) => spreadOf(each).greatest) }
}

function grow(tree: Tree, name: string, children: number): number {
  const batches = Array.from({ length: children }, (_, child) =>
    Array.from({ length: LISTS }, (__, list): TreeWrite => {
      const path = parsePath(`/${name}/list${list}/${recordKey(child)}`)
      return { pairs: [{ path, value: `message ${child}` }] }
    }),
  )
  globalThis.gc?.()
  const start = performance.now()
  for (const batch of batches) {
    for (const outcome of tree.store.commit(batch)) if (!outcome.ok) throw outcome.error
  }
  const ms = performance.now() - start
  assert.equal(tree.keys(`/${name}/list7`).length, children)
  return ((children * LISTS) / ms) * 1000
}
