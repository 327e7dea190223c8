import { startChild } from '../child.ts'
import type { QueryJob, QueryMessage } from '../query/query-process.ts'
import { runRounds } from '../rounds.ts'
import type { Contender, TrialResult } from '../rounds.ts'
import { rowsOf } from '../table.ts'
import type { Comparison, Row } from '../table.ts'
import { makeTemporaryFolder } from '../temporary-folder.ts'
import type { GroupOptions } from './group.ts'

/** Queries by an index over many children against few, and what indexes cost writes. */
export async function queryGroup({ isQuick, rounds, trialMs, say }: GroupOptions): Promise<Row[]> {
  const many = isQuick ? 50_000 : 1_000_000
  const few = 1000
  const ofMany = `of ${many.toLocaleString('en')} children`
  const ofFew = `${few.toLocaleString('en')} children`
  const age = ['age']
  const works: readonly Work[] = [
    {
      work: `orderBy="age" & limitToLast=20, ${ofMany}`,
      unit: 'operations',
      target: 0.5,
      jobs: [
        { name: 'Elkyn', people: many, fields: age, work: 'last' },
        { name: ofFew, people: few, fields: age, work: 'last' },
      ],
    },
    {
      work: `the same & endAt at random, ${ofMany}`,
      unit: 'operations',
      jobs: [
        { name: 'Elkyn', people: many, fields: age, work: 'last before any' },
        { name: ofFew, people: few, fields: age, work: 'last before any' },
      ],
    },
    ...[1, 64].map((updatesOfCommit) => updatesOf(updatesOfCommit)),
  ]
  const rows: Row[] = []
  for (const { jobs, ...comparison } of works) {
    say(comparison.work)
    await using resources = new AsyncDisposableStack()
    const contenders: Contender[] = []
    for (const job of jobs) contenders.push(resources.use(await start(job)))
    rows.push(...rowsOf(comparison, await runRounds(contenders, { rounds, trialMs })))
  }
  return rows
}

type Named = Omit<QueryJob, 'folder'> & { readonly name: string }

interface Work extends Comparison {
  readonly jobs: readonly Named[]
}

function updatesOf(updatesOfCommit: number): Work {
  const job = { people: 10_000, work: 'update', updatesOfCommit } as const
  return {
    work: `update two fields with an index each, ${updatesOfCommit} a commit`,
    unit: 'operations',
    target: 0.5,
    jobs: [
      { ...job, name: 'Elkyn', fields: ['age', 'city'] },
      { ...job, name: 'no index', fields: [] },
    ],
  }
}

async function start({ name, ...rest }: Named): Promise<Contender> {
  await using resources = new AsyncDisposableStack()
  const { path: folder } = resources.use(await makeTemporaryFolder())
  const job: QueryJob = { ...rest, folder }
  const child = resources.use(startChild('query/query-process.ts', job))
  await child.answer()
  const owned = resources.move()
  return {
    name,
    trial: async (count) => (await child.ask({ count } satisfies QueryMessage)) as TrialResult,
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}
