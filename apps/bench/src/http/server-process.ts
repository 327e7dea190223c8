// A process with one HTTP server, whose answers were checked before it reports its port.
import assert from 'node:assert/strict'
import process from 'node:process'
import { jobOfParent, tellParent } from '../child.ts'
import { itemOf, recordOf } from '../records.ts'
import { startAceBase } from './acebase.ts'
import { startBare } from './bare.ts'
import { startElkyn } from './elkyn.ts'
import type { BenchServer, StartServer } from './server.ts'

const servers = {
  Elkyn: startElkyn,
  'node:http': startBare,
  'acebase-server': startAceBase,
} satisfies Record<string, StartServer>

export type ServerName = keyof typeof servers

export interface ServerJob {
  readonly server: ServerName
  readonly records: number
  readonly folder: string
}

export interface ServerReady {
  readonly port: number
  /** Of each record. */
  readonly paths: readonly string[]
}

/** Answer to any message: the processor time that the server has used. */
export interface ServerTime {
  readonly cpuMs: number
}

const job = jobOfParent() as ServerJob
const server = await servers[job.server](job.folder, job.records)
const keys = Array.from({ length: job.records }, (_, number) => itemOf(number).key)
await checkAnswers(server)
tellParent({
  port: server.port,
  paths: keys.map((key) => server.pathOf(key)),
} satisfies ServerReady)

process.on('message', () => {
  const { user, system } = process.cpuUsage()
  tellParent({ cpuMs: (user + system) / 1000 } satisfies ServerTime)
})
process.once('disconnect', () => void server.close().then(() => process.exit()))

async function checkAnswers(checked: BenchServer): Promise<void> {
  for (const [number, key] of keys.entries()) {
    const response = await fetch(`http://127.0.0.1:${checked.port}${checked.pathOf(key)}`)
    assert.equal(response.status, 200)
    const expected = recordOf(job.server === 'node:http' ? 0 : number)
    assert.deepEqual(checked.recordIn(await response.json()), expected)
  }
}
