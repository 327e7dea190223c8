import { startEngine } from '../engine-contender.ts'
import type { EngineName, WorkName } from '../engine-process.ts'
import { runRounds } from '../rounds.ts'
import { rowsOf } from '../table.ts'
import type { Comparison, Row } from '../table.ts'
import type { GroupOptions } from './group.ts'

interface StorageRow extends Comparison {
  readonly does: WorkName
  readonly records: number
  /** Those that it is for. Default: all. */
  readonly engines?: readonly EngineName[]
}

/** In the order of the table; Elkyn comes first, and right before what it is built on. */
const engines: readonly EngineName[] = [
  'Elkyn',
  'lmdb',
  'better-sqlite3',
  'classic-level',
  'acebase',
]

/** More would keep AceBase, at some thousand records a second, busy for minutes. */
const ACEBASE_MAX_RECORDS = 10_000

/** The store in the process, against lmdb itself and against other databases in the process. */
export async function storageGroup(options: GroupOptions): Promise<Row[]> {
  const many = options.isQuick ? 10_000 : 100_000
  const rows: StorageRow[] = [
    {
      work: 'read a record as JSON, of 10 thousand leaves',
      does: 'readRecords',
      records: 1000,
      unit: 'operations',
      target: 0.7,
    },
    {
      work: 'append records, 500 a commit, parsed before',
      does: 'appendParsedRecords',
      records: many,
      engines: ['Elkyn', 'lmdb'],
      unit: 'operations',
      target: 0.4,
    },
    {
      work: 'append records, 500 a commit',
      does: 'appendRecords',
      records: many,
      unit: 'operations',
      target: 0.4,
    },
    {
      work: 'insert records at random keys, 500 a commit',
      does: 'insertRecords',
      records: many,
      unit: 'operations',
      target: 0.4,
    },
    {
      work: 'update a leaf of a record, 64 a commit',
      does: 'updateLeaves',
      records: many,
      unit: 'operations',
      target: 0.5,
    },
    {
      work: `read a ${options.isQuick ? 5 : 50} MB subtree as JSON`,
      does: 'readSubtree',
      records: options.isQuick ? 21_500 : 215_000,
      unit: 'bytes',
      target: 0.5,
    },
  ]
  const table: Row[] = []
  for (const row of rows) {
    options.say(row.work)
    table.push(...(await measure(row, options)))
  }
  return table
}

async function measure(row: StorageRow, options: GroupOptions): Promise<Row[]> {
  await using contenders = new AsyncDisposableStack()
  const started = []
  for (const engine of row.engines ?? engines) {
    const records = engine === 'acebase' ? Math.min(row.records, ACEBASE_MAX_RECORDS) : row.records
    const name =
      records === row.records ? engine : `${engine}, of ${records.toLocaleString('en')} records`
    started.push(contenders.use(await startEngine({ engine, name, work: row.does, records })))
  }
  return rowsOf(row, await runRounds(started, options))
}
