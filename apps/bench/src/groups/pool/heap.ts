import { startLoad } from '../../http/load-generator.ts'
import { startServer } from '../../http/started-server.ts'
import type { Row } from '../../table.ts'
import type { GroupOptions } from '../group.ts'

const points = 10
const limit = 1

/** What is left on the heaps after a million reads by one thread. */
export async function poolHeapGroup({ isQuick, say }: GroupOptions): Promise<Row[]> {
  await using resources = new AsyncDisposableStack()
  const load = resources.use(await startLoad())
  const jobs = isQuick ? 100_000 : 1_000_000
  const work = `${jobs.toLocaleString('en')} reads through one reader, heap`
  say(work)
  const server = resources.use(
    await startServer({
      server: 'ThreadPoolHttpServer',
      records: 1000,
      threads: 1,
      isProbed: true,
    }),
  )
  const request = { port: server.port, requests: server.reads, connections: 64, seconds: 1 }
  // What is compiled and cached at the beginning is no growth.
  await load.run({ ...request, seconds: isQuick ? 1 : 5 })
  const heaps = new Map<string, { readonly reads: number; readonly bytes: number }[]>()
  let reads = 0
  for (let point = 0; point <= points; point++) {
    while (reads < (jobs / points) * point) reads += (await load.run(request)).requests
    for (const { thread, usedBytes } of await server.heaps()) {
      const known = heaps.get(thread) ?? []
      heaps.set(thread, [...known, { reads, bytes: usedBytes }])
    }
  }
  return [...heaps].map(([thread, figures]) => {
    const sizes = figures.map(({ bytes }) => (bytes / 1e6).toFixed(2))
    const growth = slopeOf(figures.map(({ reads: x, bytes: y }) => [x, y]))
    return {
      work: `${work} of ${thread === '' ? 'the main thread' : thread}`,
      elkyn: `${sizes.at(-1)} MB`,
      other: 'at the beginning',
      otherFigure: `${sizes[0]} MB`,
      target: { text: `under ${limit} byte a read`, isReached: growth < limit },
      note: `${growth.toFixed(3)} bytes a read; after each tenth, in MB: ${sizes.slice(1).join(', ')}`,
    }
  })
}

/** Of the line that fits best. */
function slopeOf(figures: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length
  const meanX = mean(figures.map(([x]) => x))
  const meanY = mean(figures.map(([, y]) => y))
  const covariance = mean(figures.map(([x, y]) => (x - meanX) * (y - meanY)))
  return covariance / mean(figures.map(([x]) => (x - meanX) ** 2))
}
