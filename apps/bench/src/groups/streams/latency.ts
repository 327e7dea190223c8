import { ratiosOf, spreadOf } from '../../spread.ts'
import { available, startStreamServer } from '../../streams/started-stream-server.ts'
import { startStreamLoad } from '../../streams/stream-load.ts'
import type { Latencies, Percentiles } from '../../streams/stream-load-process.ts'
import type { Row } from '../../table.ts'
import type { GroupOptions } from '../group.ts'

const streams = 1000
const everyMs = 50

/** How long after its answer a write is known to a thousand streams. */
export async function streamsLatencyGroup({ isQuick, rounds, say }: GroupOptions): Promise<Row[]> {
  say(`events to ${streams} streams, one each ${everyMs} ms`)
  await using resources = new AsyncDisposableStack()
  const load = resources.use(await startStreamLoad())
  const names = available(['ThreadPoolHttpServer', 'socket.write', 'nchan'])
  const results = new Map<string, Latencies[]>(names.map((name) => [name, []]))
  for (const name of names) {
    await using server = await startStreamServer(name)
    const { port, dialect } = server
    await load.open({ port, dialect, topics: Array.from({ length: streams }, () => 'feed') })
    // The first round is a warm-up.
    for (let round = 0; round <= rounds; round++) {
      const latencies = await load.pace({ port, dialect, events: isQuick ? 20 : 100, everyMs })
      const { p50Ms, p99Ms } = latencies.sent
      say(`  ${name} ${p50Ms.toFixed(1)} ms after it was sent, p99 ${p99Ms.toFixed(1)} ms`)
      if (round > 0) results.get(name)!.push(latencies)
    }
    await load.close()
  }
  const [own, ...others] = names
  const figures = (name: string, from: keyof Latencies, part: keyof Percentiles): number[] =>
    results.get(name)!.map((all) => all[from][part])
  return kinds.flatMap(({ from, part, text }) =>
    others.map((other) => ({
      work: `${text}, ${streams} streams`,
      elkyn: milliseconds(figures(own!, from, part)),
      other,
      otherFigure: milliseconds(figures(other, from, part)),
      // The others answer when they have sent, so that events may come before the answer.
      ratio:
        from === 'sent'
          ? ratiosOf(figures(own!, from, part), figures(other, from, part))
          : undefined,
      target: undefined,
      note: `an event each ${everyMs} ms; less is better`,
    })),
  )
}

const kinds = [
  { from: 'answered', part: 'p50Ms', text: 'from PUT answered to event received, p50' },
  { from: 'answered', part: 'p99Ms', text: 'from PUT answered to event received, p99' },
  { from: 'sent', part: 'p50Ms', text: 'from PUT sent to event received, p50' },
  { from: 'sent', part: 'p99Ms', text: 'from PUT sent to event received, p99' },
] as const

function milliseconds(figures: readonly number[]): string {
  return `${spreadOf(figures).median.toPrecision(3)} ms`
}
