// A process with one engine and one kind of work, told by its parent when to run a trial. Engines
// don't share a process: what V8 learns from one of them would slow the others down.
import process from 'node:process'
import { jobOfParent, tellParent } from './child.ts'
import { openAceBase } from './engines/acebase.ts'
import { openClassicLevel } from './engines/classic-level.ts'
import { openElkyn } from './engines/elkyn.ts'
import type { OpenEngine } from './engines/engine.ts'
import { openLmdb } from './engines/lmdb.ts'
import { openSqlite } from './engines/sqlite.ts'
import type { TrialResult } from './rounds.ts'
import { readRecords, readThousandRecords } from './works/read-records.ts'
import { readSubtree } from './works/read-subtree.ts'
import { updateLeaves } from './works/update-leaves.ts'
import type { MakeWork } from './works/work.ts'
import { appendParsedRecords, appendRecords, insertRecords } from './works/write-records.ts'

const engines = {
  Elkyn: openElkyn,
  acebase: openAceBase,
  'better-sqlite3': openSqlite,
  'classic-level': openClassicLevel,
  lmdb: openLmdb,
} satisfies Record<string, OpenEngine>

const works = {
  appendParsedRecords,
  appendRecords,
  insertRecords,
  readRecords,
  readSubtree,
  readThousandRecords,
  updateLeaves,
} satisfies Record<string, MakeWork>

export type EngineName = keyof typeof engines
export type WorkName = keyof typeof works

/** What the parent wants of this process. */
export interface EngineJob {
  readonly engine: EngineName
  readonly work: WorkName
  /** Records in the list at the beginning. */
  readonly records: number
  /** An empty folder. */
  readonly folder: string
}

/** Sent once, when the engine is filled and its answers were checked. */
export interface EngineReady {
  /** How durable the writes of this work are; `undefined` where it does not write. */
  readonly durability: string | undefined
}

/** Asks for a trial; the answer is a {@link TrialResult}. */
export interface TrialRequest {
  readonly count: number
}

const job = jobOfParent() as EngineJob
const engine = await engines[job.engine](job.folder)
const work = works[job.work](engine, job.records)
await work.prepare()

process.on('message', (request: TrialRequest) => void runTrial(request))
process.once('disconnect', () => void engine.close())
tellParent({ durability: work.isWriting ? engine.durability : undefined } satisfies EngineReady)

async function runTrial({ count }: TrialRequest): Promise<void> {
  const trial = work.trial(count)
  globalThis.gc?.()
  const start = performance.now()
  await trial.run()
  const elapsedMs = performance.now() - start
  await trial.check()
  tellParent({ units: trial.units, elapsedMs } satisfies TrialResult)
}
