import { startLoad } from '../http/load-generator.ts'
import { startServerContender } from '../http/server-contender.ts'
import type { ServerName } from '../http/server-process.ts'
import { runRounds } from '../rounds.ts'
import { rowsOf } from '../table.ts'
import type { Row } from '../table.ts'
import type { GroupOptions } from './group.ts'

const connections = 64
const names: readonly ServerName[] = [
  'SimpleHttpServer',
  'node:http',
  'acebase-server',
  'SimpleHttpServer with metrics',
]

/** A record over HTTP, against what Node's own server can send, the server of AceBase, and itself with metrics. */
export async function httpGroup({ isQuick, rounds, say }: GroupOptions): Promise<Row[]> {
  await using resources = new AsyncDisposableStack()
  const load = resources.use(await startLoad())
  const work = `GET a record over HTTP, ${connections} connections`
  say(`${work}, asked by ${load.name}`)
  const request = { sends: 'reads', records: 1000, connections, seconds: isQuick ? 1 : 3 } as const
  const contenders = []
  for (const server of names) {
    const contender = await startServerContender({ ...request, server, load, say })
    contenders.push(resources.use(contender))
  }
  // A trial takes a fixed time instead of a number of operations.
  const results = await runRounds(contenders, { rounds, trialMs: 0 })
  const perProcessor = contenders.map((contender) => ({
    name: contender.name,
    note: undefined,
    rates: contender.cpuRates(),
  }))
  return [
    ...rowsOf({ work, unit: 'operations', target: 0.8 }, results),
    ...rowsOf({ work: 'the same, a second of processor time', unit: 'operations' }, perProcessor),
  ]
}
