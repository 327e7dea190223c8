// A process with one HTTP server, whose answers were checked before it reports its port.
import assert from 'node:assert/strict'
import process from 'node:process'
import { jobOfParent, tellParent } from '../child.ts'
import { itemOf, recordOf } from '../records.ts'
import { startAceBase } from './acebase.ts'
import { startBare } from './bare.ts'
import { startInThread, startMetered, startPool } from './elkyn.ts'
import { heapsOfThreads } from './heaps-of-threads.ts'
import type { ThreadHeap } from './heaps-of-threads.ts'
import type { Request } from './load.ts'
import type { BenchServerOptions, StartServer } from './server.ts'

const servers = {
  SimpleHttpServer: startInThread,
  'SimpleHttpServer with metrics': startMetered,
  ThreadPoolHttpServer: startPool,
  'node:http': startBare,
  'acebase-server': startAceBase,
} satisfies Record<string, StartServer>

export type ServerName = keyof typeof servers

export interface ServerJob extends BenchServerOptions {
  readonly server: ServerName
}

export interface ServerReady {
  readonly port: number
  /** A GET of each record, of the first thousand at most. */
  readonly reads: readonly Request[]
  /** A PUT of each of them, with -1 visits, to be replaced by another number. */
  readonly writes: readonly Request[]
}

export type ServerQuestion =
  /** The processor time used so far: a {@link ServerTime}. */
  | 'time'
  /** Makes sure that the first `count` records have `leastVisits` or more; the answer is empty. */
  | 'check writes'
  /** What each thread has on its heap after a collection: an array of {@link ThreadHeap}. */
  | 'heaps'

export interface ServerMessage {
  readonly question: ServerQuestion
  readonly count: number
  readonly leastVisits: number
}

export interface ServerTime {
  readonly cpuMs: number
  /** Of it, of the thread that listens. */
  readonly mainMs: number
}

const job = jobOfParent() as ServerJob
const server = await servers[job.server](job)
const numbers = Array.from({ length: Math.min(job.records, 1000) }, (_, number) => number)
await checkRecords(job.server === 'node:http' ? () => recordOf(0) : recordOf)
tellParent({
  port: server.port,
  reads: numbers.map((number) => ({ path: pathOf(number) })),
  writes: numbers.map((number) => ({
    method: 'PUT',
    path: pathOf(number),
    headers: { 'Content-Type': 'application/json' },
    body: bodyOf(JSON.stringify({ ...recordOf(number), visits: -1 })),
  })),
} satisfies ServerReady)

process.on('message', (message: ServerMessage) => {
  void answers[message.question](message).then(tellParent)
})
process.once('disconnect', () => void server.close().then(() => process.exit()))

const answers: Readonly<Record<ServerQuestion, (message: ServerMessage) => Promise<object>>> = {
  async time(): Promise<ServerTime> {
    return {
      cpuMs: milliseconds(process.cpuUsage()),
      mainMs: milliseconds(process.threadCpuUsage()),
    }
  },
  async 'check writes'({ count, leastVisits }) {
    if (server.isStoring === false) return {}
    for (const number of numbers.slice(0, Math.max(count, 0))) {
      const { visits, ...rest } = (await recordNow(number)) as { readonly visits: number }
      assert.deepEqual({ ...rest, visits: 0 }, recordOf(number))
      assert.ok(visits >= leastVisits, `Record ${number} was last written before: ${visits}`)
    }
    return {}
  },
  // The readers, the writer and this one.
  heaps: async (): Promise<readonly ThreadHeap[]> => heapsOfThreads((job.threads ?? 4) + 2),
}

function bodyOf(json: string): string {
  return server.bodyOf?.(json) ?? json
}

function pathOf(number: number): string {
  return server.pathOf(itemOf(number).key)
}

async function checkRecords(expected: (number: number) => object): Promise<void> {
  for (const number of numbers) assert.deepEqual(await recordNow(number), expected(number))
}

async function recordNow(number: number): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${server.port}${pathOf(number)}`)
  assert.equal(response.status, 200)
  return server.recordIn(await response.json())
}

function milliseconds({ user, system }: { user: number; system: number }): number {
  return (user + system) / 1000
}
