import { startLoad } from '../../http/load-generator.ts'
import { startServerContender } from '../../http/server-contender.ts'
import type { ServerContender } from '../../http/server-contender.ts'
import { runRounds } from '../../rounds.ts'
import { rowsOf } from '../../table.ts'
import type { Row } from '../../table.ts'
import type { GroupOptions } from '../group.ts'

const connections = 64

/** A record through the pool, with more and more threads, against a constant from Node's own server. */
export async function poolGetGroup({ isQuick, rounds, say }: GroupOptions): Promise<Row[]> {
  await using resources = new AsyncDisposableStack()
  const load = resources.use(await startLoad())
  const work = `GET a record, ${connections} connections`
  say(`${work}, asked by ${load.name}`)
  const common = { sends: 'reads', records: 1000, connections, load, say } as const
  const seconds = isQuick ? 1 : 3
  const contenders: ServerContender[] = []
  for (const options of [
    { name: '1 thread', server: 'ThreadPoolHttpServer', threads: 1 },
    { name: '2 threads', server: 'ThreadPoolHttpServer', threads: 2 },
    { name: '4 threads', server: 'ThreadPoolHttpServer', threads: 4 },
    { server: 'SimpleHttpServer' },
    { server: 'node:http' },
  ] as const) {
    const contender = await startServerContender({ ...common, ...options, seconds })
    contenders.push(resources.use(contender))
  }
  const results = await runRounds(contenders, { rounds, trialMs: 0 })
  const bare = results.pop()!
  const bareCosts = contenders.pop()!.costs()
  return results.flatMap((own, index) => {
    const { name } = own
    const costs = contenders[index]!.costs()
    const note = `processor a request: main thread ${costs}, against ${bareCosts}`
    const comparison = { work: `${work}, ${name}`, unit: 'operations' } as const
    return rowsOf({ ...comparison, ...(name.endsWith('Server') ? {} : { target: 0.75 }) }, [
      own,
      { ...bare, note },
    ])
  })
}
