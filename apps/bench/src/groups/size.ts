import { startEngine } from '../engine-contender.ts'
import type { EngineContenderOptions } from '../engine-contender.ts'
import type { WorkName } from '../engine-process.ts'
import { FIELDS_PER_RECORD } from '../records.ts'
import { runRounds } from '../rounds.ts'
import { rowsOf } from '../table.ts'
import type { Comparison, Row } from '../table.ts'
import type { GroupOptions } from './group.ts'

interface SizeRow extends Comparison {
  readonly does: WorkName
}

const SMALL = 10_000 / FIELDS_PER_RECORD

/** The same reads from a large database, against a small one and against lmdb with as much in it. */
export async function sizeGroup(options: GroupOptions): Promise<Row[]> {
  const leaves = options.isQuick ? '1 million' : '10 million'
  const large = (options.isQuick ? 1_000_000 : 10_000_000) / FIELDS_PER_RECORD
  const rows: SizeRow[] = [
    {
      work: `read one of 1,000 records as JSON, of ${leaves} leaves`,
      does: 'readThousandRecords',
      unit: 'operations',
      target: 0.6,
    },
    {
      work: `read any record as JSON, of ${leaves} leaves`,
      does: 'readRecords',
      unit: 'operations',
      target: 0.6,
    },
    {
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
  const work = row.does
  const contenders: EngineContenderOptions[] = [
    { engine: 'Elkyn', work, records: large },
    { engine: 'Elkyn', work, records: SMALL, name: 'the same of 10 thousand' },
    { engine: 'lmdb', work, records: large },
  ]
  await using resources = new AsyncDisposableStack()
  const started = []
  for (const contender of contenders) started.push(resources.use(await startEngine(contender)))
  return rowsOf(row, await runRounds(started, options))
}
