import { startEngine } from '../engine-contender.ts'
import type { EngineName, WorkName } from '../engine-process.ts'
import { FIELDS_PER_RECORD } from '../records.ts'
import { runRounds } from '../rounds.ts'
import { rowsOf } from '../table.ts'
import type { Comparison, Row } from '../table.ts'
import type { GroupOptions } from './group.ts'

interface SizeRow extends Comparison {
  readonly engine: EngineName
  readonly does: WorkName
}

/** The same reads from a large database, against a small one. */
export async function sizeGroup(options: GroupOptions): Promise<Row[]> {
  const leaves = options.isQuick ? '1 million' : '10 million'
  const large = (options.isQuick ? 1_000_000 : 10_000_000) / FIELDS_PER_RECORD
  const rows: SizeRow[] = [
    {
      engine: 'Elkyn',
      work: `read a record as JSON, of ${leaves} leaves`,
      does: 'readRecords',
      unit: 'operations',
      target: 0.6,
    },
    {
      engine: 'lmdb',
      work: `lmdb itself: read a record of ${leaves} leaves`,
      does: 'readRecords',
      unit: 'operations',
    },
    {
      engine: 'Elkyn',
      work: `read a subtree as JSON, of ${leaves} leaves`,
      does: 'readSubtree',
      unit: 'bytes',
      target: 0.6,
    },
  ]
  const table: Row[] = []
  for (const row of rows) {
    options.say(row.work)
    table.push(...(await measure(row, large, options)))
  }
  return table
}

async function measure(row: SizeRow, large: number, options: GroupOptions): Promise<Row[]> {
  const { engine, does: work } = row
  await using contenders = new AsyncDisposableStack()
  const started = [
    contenders.use(await startEngine({ engine, work, records: large })),
    contenders.use(
      await startEngine({ engine, work, records: 1000, name: 'the same of 10 thousand' }),
    ),
  ]
  return rowsOf(row, await runRounds(started, options))
}
