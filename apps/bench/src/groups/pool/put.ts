import { startLoad } from '../../http/load-generator.ts'
import { startServerContender } from '../../http/server-contender.ts'
import type { ServerContender } from '../../http/server-contender.ts'
import type { ServerName } from '../../http/server-process.ts'
import { runRounds } from '../../rounds.ts'
import { rowsOf } from '../../table.ts'
import type { Row } from '../../table.ts'
import type { GroupOptions } from '../group.ts'

const targets = { 64: 0.45, 256: 0.65 } as const
const acebaseTarget = 30
const names: readonly ServerName[] = [
  'ThreadPoolHttpServer',
  'node:http',
  'acebase-server',
  'SimpleHttpServer',
]
const durability: Partial<Record<ServerName, string>> = {
  'node:http': 'reads the body and answers it, stores nothing',
  'acebase-server': 'none: it never calls fsync',
  SimpleHttpServer: 'fsync a commit',
}

/** Durable writes of records, which share commits. */
export async function poolPutGroup(options: GroupOptions): Promise<Row[]> {
  return [...(await measure(64, options)), ...(await measure(256, options))]
}

async function measure(
  connections: 64 | 256,
  { isQuick, rounds, say }: GroupOptions,
): Promise<Row[]> {
  await using resources = new AsyncDisposableStack()
  const load = resources.use(await startLoad())
  const work = `PUT a record, ${connections} connections`
  say(`${work}, sent by ${load.name}`)
  const common = { sends: 'writes', records: 1000, connections, load, say } as const
  const contenders: ServerContender[] = []
  for (const server of names) {
    const seconds = isQuick ? 1 : 3
    contenders.push(resources.use(await startServerContender({ ...common, server, seconds })))
  }
  const results = await runRounds(contenders, { rounds, trialMs: 0 })
  const [own, ...others] = results
  return others.flatMap((other, index) => {
    const target = { 'node:http': targets[connections], 'acebase-server': acebaseTarget }[
      other.name
    ]
    const costs = `processor a request: main thread ${contenders[0]!.costs()}, against ${contenders[index + 1]!.costs()}`
    const note = `${durability[other.name as ServerName] ?? ''}; ${costs}`
    const comparison = { work, unit: 'operations' } as const
    return rowsOf({ ...comparison, ...(target === undefined ? {} : { target }) }, [
      own!,
      { ...other, note },
    ])
  })
}
