import { ratiosOf, spreadOf } from '../../spread.ts'
import { startStreamServer } from '../../streams/started-stream-server.ts'
import type { StartedStreamServer } from '../../streams/started-stream-server.ts'
import { startStreamLoad } from '../../streams/stream-load.ts'
import type { StreamLoad } from '../../streams/stream-load.ts'
import { atMost } from '../../table.ts'
import type { Row } from '../../table.ts'
import type { GroupOptions } from '../group.ts'

const few = 10
const limit = 1.5

/** What a write costs that one stream is told of, with many others elsewhere and with few. */
export async function streamsPathsGroup({ isQuick, rounds, say }: GroupOptions): Promise<Row[]> {
  const many = isQuick ? 2000 : 10_000
  const events = isQuick ? 1000 : 5000
  const work = `writes to random paths of ${many.toLocaleString('en')} with a stream each`
  say(work)
  await using resources = new AsyncDisposableStack()
  const servers: { server: StartedStreamServer; load: StreamLoad; topics: number }[] = []
  for (const topics of [many, few]) {
    const server = resources.use(await startStreamServer('ThreadPoolHttpServer'))
    const load = resources.use(await startStreamLoad())
    const { port, dialect } = server
    const names = Array.from({ length: topics }, (_, index) => `rooms/${index}`)
    await load.open({ port, dialect, topics: names })
    servers.push({ server, load, topics })
  }
  const cpu: [number[], number[]] = [[], []]
  const elapsed: [number[], number[]] = [[], []]
  // The first round is a warm-up.
  for (let round = 0; round <= rounds; round++) {
    for (const [index, { server, load, topics }] of servers.entries()) {
      const { port, dialect } = server
      const before = await server.cpuMs()
      const { elapsedMs } = await load.scatter({ port, dialect, events, topics })
      const cpuMs = (await server.cpuMs()) - before
      say(
        `  ${topics} streams: ${((cpuMs * 1000) / events).toFixed(0)} µs of the processor a write`,
      )
      if (round === 0) continue
      cpu[index as 0 | 1].push(cpuMs / events)
      elapsed[index as 0 | 1].push(elapsedMs / events)
    }
  }
  const row = (text: string, [own, other]: [number[], number[]], hasTarget: boolean): Row => {
    const ratio = ratiosOf(own, other)
    return {
      work: `${work}, ${text}`,
      elkyn: microseconds(own),
      other: `${few} streams`,
      otherFigure: microseconds(other),
      ratio,
      target: hasTarget ? atMost(limit, ratio) : undefined,
      note: '50 on their way at a time',
    }
  }
  return [row('processor time of one', cpu, true), row('time of one', elapsed, false)]
}

function microseconds(figures: readonly number[]): string {
  return `${(spreadOf(figures).median * 1000).toPrecision(3)} µs`
}
