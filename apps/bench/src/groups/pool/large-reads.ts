import { setTimeout } from 'node:timers/promises'
import { startDownloads } from '../../http/downloads.ts'
import { startPacedLoad } from '../../http/paced-load.ts'
import type { PacedLoad, PacedResult } from '../../http/paced-load.ts'
import { startServer } from '../../http/started-server.ts'
import { LIST } from '../../records.ts'
import { ratiosOf, spreadOf } from '../../spread.ts'
import { atMost } from '../../table.ts'
import type { Row } from '../../table.ts'
import type { GroupOptions } from '../group.ts'

const clients = 2
const perSecond = 500
const limit = 3
// With its key a record takes about 225 bytes.
const bytesPerRecord = 225

/** Small reads while large ones go on: how long the slowest of a hundred wait, against without. */
export async function poolLargeReadsGroup(options: GroupOptions): Promise<Row[]> {
  const rows = []
  // The pool alone has a target.
  for (const server of ['ThreadPoolHttpServer', 'SimpleHttpServer'] as const) {
    rows.push(await measure(server, options))
  }
  return rows
}

async function measure(
  server: 'ThreadPoolHttpServer' | 'SimpleHttpServer',
  { isQuick, rounds, say }: GroupOptions,
): Promise<Row> {
  const megabytes = isQuick ? 10 : 50
  const work = `${server}, small GETs while ${clients} clients download ${megabytes} MB in a loop, p99`
  say(work)
  await using resources = new AsyncDisposableStack()
  const leastBytes = megabytes * 1e6
  const records = Math.ceil(leastBytes / bytesPerRecord)
  const asked = resources.use(await startServer({ server, records }))
  // What two busy cores cost everybody, whoever is asked.
  const bystander = resources.use(await startServer({ server: 'node:http', records: 1000 }))
  const load = resources.use(await startPacedLoad())
  const downloads = resources.use(await startDownloads())
  const seconds = isQuick ? 2 : 5
  const download = {
    port: asked.port,
    path: `/${LIST}.json`,
    clients,
    leastBytes: 0.8 * leastBytes,
  }
  const withIt: PacedResult[] = []
  const without: PacedResult[] = []
  const aside: PacedResult[] = []
  const rates: number[] = []
  // The first round is a warm-up.
  for (let round = 0; round <= rounds; round++) {
    const alone = await small(load, asked, seconds)
    await downloads.start(download)
    const busy = await small(load, asked, seconds)
    const { bytes, elapsedMs } = await downloads.stop()
    await downloads.start(download)
    const other = await small(load, bystander, seconds)
    await downloads.stop()
    say(`  p99 ${busy.p99Ms.toFixed(1)} ms, without ${alone.p99Ms.toFixed(1)} ms`)
    if (round === 0) continue
    without.push(alone)
    withIt.push(busy)
    aside.push(other)
    rates.push(bytes / 1e3 / elapsedMs)
  }
  const ratio = ratiosOf(p99(withIt), p99(without))
  const asidePart = milliseconds(spreadOf(p99(aside)).median)
  return {
    work,
    elkyn: milliseconds(spreadOf(p99(withIt)).median),
    other: 'without downloads',
    otherFigure: milliseconds(spreadOf(p99(without)).median),
    ratio,
    target: server === 'ThreadPoolHttpServer' ? atMost(limit, ratio) : undefined,
    note: `${perSecond} a second; downloads ${Math.round(spreadOf(rates).median)} MB/s; an idle node:http beside them answers in ${asidePart}`,
  }
}

async function small(
  load: PacedLoad,
  { port, reads }: Pick<Awaited<ReturnType<typeof startServer>>, 'port' | 'reads'>,
  seconds: number,
): Promise<PacedResult> {
  await load.start({ port, requests: reads, connections: 32, perSecond })
  await setTimeout(seconds * 1000)
  return load.stop()
}

function p99(results: readonly PacedResult[]): number[] {
  return results.map(({ p99Ms }) => p99Ms)
}

function milliseconds(time: number): string {
  return `${time.toPrecision(3)} ms`
}
