import { startChild } from '../child.ts'
import type { LoadGenerator } from '../http/load.ts'
import { startNodeLoad } from '../http/node-load.ts'
import type { ServerJob, ServerName, ServerReady, ServerTime } from '../http/server-process.ts'
import { findWrk } from '../http/wrk.ts'
import { runRounds } from '../rounds.ts'
import type { Contender } from '../rounds.ts'
import { rowsOf } from '../table.ts'
import type { Row } from '../table.ts'
import { makeTemporaryFolder } from '../temporary-folder.ts'
import type { GroupOptions } from './group.ts'

const CONNECTIONS = 64
const RECORDS = 1000
const names: readonly ServerName[] = ['Elkyn', 'node:http', 'acebase-server']

/** A record over HTTP, against what Node's own server can send, and against the server of AceBase. */
export async function httpGroup(options: GroupOptions): Promise<Row[]> {
  await using resources = new AsyncDisposableStack()
  const load = resources.use((await findWrk()) ?? (await startNodeLoad()))
  const work = `GET a record over HTTP, ${CONNECTIONS} connections`
  options.say(`${work}, asked by ${load.name}`)
  const contenders = []
  for (const name of names) contenders.push(resources.use(await startServer(name, load, options)))
  // A trial takes a fixed time instead of a number of operations.
  const results = await runRounds(contenders, { rounds: options.rounds, trialMs: 0 })
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

interface ServerContender extends Contender {
  /** Requests a second of the server's processor time, round by round: what a busy machine changes least. */
  cpuRates(): readonly number[]
}

async function startServer(
  server: ServerName,
  load: LoadGenerator,
  { isQuick, say }: GroupOptions,
): Promise<ServerContender> {
  await using resources = new AsyncDisposableStack()
  const { path: folder } = resources.use(await makeTemporaryFolder())
  const job: ServerJob = { server, folder, records: RECORDS }
  const child = resources.use(startChild('http/server-process.ts', job))
  const { port, paths } = (await child.answer()) as ServerReady
  const request = { port, paths, connections: CONNECTIONS, seconds: isQuick ? 1 : 3 }
  // The trial before the first round is too short to warm a server up.
  await load.run(request)
  const owned = resources.move()
  const rates: number[] = []
  return {
    name: server,
    // The trial before the first round is not among the rounds.
    cpuRates: () => rates.slice(1),
    async trial() {
      const before = (await child.ask({})) as ServerTime
      const { requests, elapsedMs } = await load.run(request)
      const after = (await child.ask({})) as ServerTime
      const cpuMs = after.cpuMs - before.cpuMs
      rates.push((requests / cpuMs) * 1000)
      // Less than a whole core says that the client or another program was in the way.
      say(`  ${server}: ${Math.round((cpuMs / elapsedMs) * 100)} % of a core`)
      return { units: requests, elapsedMs }
    },
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}
