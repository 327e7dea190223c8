import type { Rates } from '../../rounds.ts'
import { available, startStreamServer } from '../../streams/started-stream-server.ts'
import type { StartedStreamServer, StreamServerName } from '../../streams/started-stream-server.ts'
import { startStreamLoad } from '../../streams/stream-load.ts'
import type { StreamLoad } from '../../streams/stream-load.ts'
import { rowsOf } from '../../table.ts'
import type { Row } from '../../table.ts'
import type { GroupOptions } from '../group.ts'

const names = [
  'ThreadPoolHttpServer',
  'socket.write',
  'joined socket.write',
  'SimpleHttpServer',
  'nchan',
] as const
const works = [
  { burst: 50, text: 'in bursts of 50', target: 1 },
  { burst: 1, text: 'singly', target: 0.7 },
] as const

/** What one server did, round by round, in deliveries a second. */
interface Figures {
  readonly rates: number[]
  readonly cpuRates: number[]
}

/** One writer and 2,000 streams on one path, against a loop that only writes bytes which were made before. */
export async function streamsFanOutGroup(options: GroupOptions): Promise<Row[]> {
  const { isQuick, rounds, say } = options
  const streams = isQuick ? 500 : 2000
  await using resources = new AsyncDisposableStack()
  const load = resources.use(await startStreamLoad())
  const servers: StartedStreamServer[] = []
  for (const name of available(names)) servers.push(resources.use(await startStreamServer(name)))
  const rows: Row[] = []
  for (const { burst, text, target } of works) {
    const work = `events of 200 bytes to ${streams.toLocaleString('en')} streams, ${text}`
    say(work)
    const all = new Map<StreamServerName, Figures>(
      servers.map(({ name }) => [name, { rates: [], cpuRates: [] }]),
    )
    const groups = Math.ceil((isQuick ? 50_000 : 1_000_000) / streams / Math.sqrt(burst))
    // The first round is a warm-up.
    for (let round = 0; round <= rounds; round++) {
      for (const server of servers) {
        const { rate, cpuRate } = await measure(load, server, { streams, groups, burst })
        say(`  ${server.name} ${Math.round(rate)} deliveries a second`)
        if (round === 0) continue
        all.get(server.name)!.rates.push(rate)
        all.get(server.name)!.cpuRates.push(cpuRate)
      }
    }
    const ratesOf = (kind: keyof Figures): Rates[] =>
      [...all].map(([name, figures]) => ({ name, note: undefined, rates: figures[kind] }))
    rows.push(
      ...rowsOf({ work: `${work}, deliveries`, unit: 'operations', target }, ratesOf('rates')),
      ...rowsOf(
        { work: 'the same, a second of processor time', unit: 'operations' },
        ratesOf('cpuRates'),
      ),
    )
  }
  return rows
}

async function measure(
  load: StreamLoad,
  server: StartedStreamServer,
  { streams, groups, burst }: { streams: number; groups: number; burst: number },
): Promise<{ rate: number; cpuRate: number }> {
  const { port, dialect } = server
  await load.open({ port, dialect, topics: Array.from({ length: streams }, () => 'feed') })
  await load.fanOut({ port, dialect, groups: 2, burst })
  const before = await server.cpuMs()
  const { elapsedMs } = await load.fanOut({ port, dialect, groups, burst })
  const cpuMs = (await server.cpuMs()) - before
  await load.close()
  const deliveries = streams * groups * burst
  return { rate: (deliveries / elapsedMs) * 1000, cpuRate: (deliveries / cpuMs) * 1000 }
}
