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

/** What a write took, round by round, in milliseconds. */
interface Times {
  readonly cpu: number[]
  readonly elapsed: number[]
}

/**
 * What a write costs that one stream is told of, with many others elsewhere and with few. Written are all of the
 * paths, and only as many as the few: those then share turns of the event loop as the few do.
 */
export async function streamsPathsGroup({ isQuick, rounds, say }: GroupOptions): Promise<Row[]> {
  const many = isQuick ? 2000 : 10_000
  const events = isQuick ? 1000 : 5000
  await using resources = new AsyncDisposableStack()
  const crowded = await openStreams(many, resources)
  const quiet = await openStreams(few, resources)
  const trials = [
    { streams: crowded, written: many, times: noTimes() },
    { streams: crowded, written: few, times: noTimes() },
    { streams: quiet, written: few, times: noTimes() },
  ] as const
  // The first round is a warm-up.
  for (let round = 0; round <= rounds; round++) {
    for (const { streams, written, times } of trials) {
      const { cpuMs, elapsedMs } = await measure(streams, events, written)
      const microsecondsEach = ((cpuMs * 1000) / events).toFixed(0)
      say(`  ${streams.count} streams, ${written} written: ${microsecondsEach} µs of the processor`)
      if (round === 0) continue
      times.cpu.push(cpuMs / events)
      times.elapsed.push(elapsedMs / events)
    }
  }
  const [all, some, alone] = trials
  return [
    ...rowsOf(
      `writes to random paths of ${format(many)} with a stream each`,
      all.times,
      alone.times,
    ),
    ...rowsOf(`writes to ${few} of these paths`, some.times, alone.times),
  ]
}

interface Streams {
  readonly server: StartedStreamServer
  readonly load: StreamLoad
  readonly count: number
}

async function openStreams(count: number, resources: AsyncDisposableStack): Promise<Streams> {
  const server = resources.use(await startStreamServer('ThreadPoolHttpServer'))
  const load = resources.use(await startStreamLoad())
  const { port, dialect } = server
  const topics = Array.from({ length: count }, (_, index) => `rooms/${index}`)
  await load.open({ port, dialect, topics })
  return { server, load, count }
}

async function measure(
  { server, load }: Streams,
  events: number,
  topics: number,
): Promise<{ cpuMs: number; elapsedMs: number }> {
  const { port, dialect } = server
  const before = await server.cpuMs()
  const { elapsedMs } = await load.scatter({ port, dialect, events, topics })
  return { cpuMs: (await server.cpuMs()) - before, elapsedMs }
}

function rowsOf(work: string, own: Times, other: Times): Row[] {
  const row = (text: string, kind: keyof Times, hasTarget: boolean): Row => {
    const ratio = ratiosOf(own[kind], other[kind])
    return {
      work: `${work}, ${text}`,
      elkyn: microseconds(own[kind]),
      other: `${few} streams`,
      otherFigure: microseconds(other[kind]),
      ratio,
      target: hasTarget ? atMost(limit, ratio) : undefined,
      note: '50 on their way at a time',
    }
  }
  return [row('processor time of one', 'cpu', true), row('time of one', 'elapsed', false)]
}

function noTimes(): Times {
  return { cpu: [], elapsed: [] }
}

function format(count: number): string {
  return count.toLocaleString('en')
}

function microseconds(figures: readonly number[]): string {
  return `${(spreadOf(figures).median * 1000).toPrecision(3)} µs`
}
