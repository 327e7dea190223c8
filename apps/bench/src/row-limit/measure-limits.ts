import { join } from 'node:path'
import { spreadOf } from '../spread.ts'
import { makeTemporaryFolder } from '../temporary-folder.ts'
import { openLimitedTree, operations } from './limited-tree.ts'
import type { LimitedTree, Operation } from './limited-tree.ts'
import type { SizedRecords } from './sized-records.ts'

/** What one row limit came to on the records of one case. */
export interface LimitFigures {
  readonly rowMaxBytes: number
  readonly diskPerByte: number
  /** Operations a second, bytes for scans: the fastest of the rounds. */
  readonly rates: Readonly<Record<Operation, number>>
}

export interface CaseFigures {
  readonly records: SizedRecords
  readonly limits: readonly LimitFigures[]
}

export interface MeasureOptions {
  readonly rowLimits: readonly number[]
  readonly rounds: number
  readonly trialMs: number
  readonly totalBytes: number
}

/** Measures all limits side by side: each round runs an operation on one after the other. */
export async function measureLimits(
  records: SizedRecords,
  options: MeasureOptions,
): Promise<CaseFigures> {
  await using resources = new AsyncDisposableStack()
  const { path } = resources.use(await makeTemporaryFolder())
  const trees: LimitedTree[] = []
  for (const rowMaxBytes of options.rowLimits) {
    const folder = join(path, String(rowMaxBytes))
    const { totalBytes } = options
    trees.push(resources.use(await openLimitedTree({ folder, rowMaxBytes, records, totalBytes })))
  }
  const rates = trees.map(() => ({}) as Record<Operation, number>)
  for (const operation of operations) {
    for (const [index, rate] of measureOperation(trees, operation, options).entries()) {
      rates[index]![operation] = rate
    }
  }
  return {
    records,
    limits: trees.map(({ rowMaxBytes, diskPerByte }, index) => ({
      rowMaxBytes,
      diskPerByte,
      rates: rates[index]!,
    })),
  }
}

function measureOperation(
  trees: readonly LimitedTree[],
  operation: Operation,
  { rounds, trialMs }: MeasureOptions,
): number[] {
  const first = operation === 'scan' ? 1 : 64
  const counts = trees.map((tree) => {
    let count = first
    for (;;) {
      const start = performance.now()
      tree.measure(operation, count)
      const elapsedMs = performance.now() - start
      if (elapsedMs >= trialMs / 2) return count
      count *= 2
    }
  })
  const all = trees.map((): number[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, tree] of trees.entries()) {
      all[index]!.push(tree.measure(operation, counts[index]!))
    }
  }
  // Many short rounds: the fastest is the one that nothing else disturbed.
  return all.map((rates) => spreadOf(rates).greatest)
}
