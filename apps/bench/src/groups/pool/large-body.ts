import assert from 'node:assert/strict'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout } from 'node:timers/promises'
import { startPacedLoad } from '../../http/paced-load.ts'
import type { PacedResult } from '../../http/paced-load.ts'
import { MemoryPeak, memoryOf } from '../../http/process-memory.ts'
import { startServer } from '../../http/started-server.ts'
import { startUploads } from '../../http/uploads.ts'
import { itemOf, recordOf } from '../../records.ts'
import { ratiosOf, spreadOf } from '../../spread.ts'
import { atMost } from '../../table.ts'
import type { Row } from '../../table.ts'
import { makeTemporaryFolder } from '../../temporary-folder.ts'
import type { GroupOptions } from '../group.ts'

const perSecond = 1000
const records = 1000
const connections = 64
const timesLimit = 3
const memoryLimit = 400e6

/** Of one round: times in milliseconds, memory in bytes. */
interface Figures {
  /** How long the body took. */
  readonly elapsedMs: number
  /** The 99th percentile of the small writes, beside the body and without it. */
  readonly beside: number
  readonly without: number
  readonly greatest: number
  readonly perSecond: number
  /** Over idle, at most. */
  readonly anonymous: number
  readonly rss: number
  readonly idle: number
}

/** A large body on its way in beside small durable writes. */
export async function poolLargeBodyGroup({ isQuick, rounds, say }: GroupOptions): Promise<Row[]> {
  if (process.platform !== 'linux') return []
  const megabytes = isQuick ? 50 : 258
  const work = `${perSecond.toLocaleString('en')} small PUTs a second beside a body of ${megabytes} MB`
  say(work)
  await using resources = new AsyncDisposableStack()
  const { path: folder } = resources.use(await makeTemporaryFolder())
  const file = join(folder, 'body.json')
  const count = await writeBody(file, megabytes * 1e6)
  const load = resources.use(await startPacedLoad())
  const uploads = resources.use(await startUploads())
  const figures: Figures[] = []
  // Each round takes a quarter of a minute.
  for (let round = 0; round < Math.min(rounds, 5); round++) {
    // A new one each time: what is deleted from the last round would be in the way.
    await using server = await startServer({ server: 'ThreadPoolHttpServer', records })
    const start = async (): Promise<void> =>
      load.start({ port: server.port, requests: server.nextWrites(), connections, perSecond })
    const forSeconds = async (seconds: number): Promise<PacedResult> => {
      await start()
      await setTimeout(seconds * 1000)
      return load.stop()
    }
    await forSeconds(isQuick ? 1 : 3)
    const without = await forSeconds(isQuick ? 2 : 5)
    const idle = memoryOf(server.pid)
    const peak = new MemoryPeak(server.pid)
    await start()
    const { elapsedMs } = await uploads.put({ port: server.port, path: '/large.json', file })
    const beside = await load.stop()
    const most = await peak.stop()
    // A short body may have had fewer beside it, and those that were on their way last need not be the last ones.
    await server.checkWrites(Math.min(records, beside.answers - connections))
    await checkLast(server.port, count)
    say(
      `  p99 ${beside.p99Ms.toFixed(1)} ms, without ${without.p99Ms.toFixed(1)} ms, ${beside.answers} answers`,
    )
    figures.push({
      elapsedMs,
      beside: beside.p99Ms,
      without: without.p99Ms,
      greatest: beside.greatestMs,
      perSecond: (beside.answers / elapsedMs) * 1000,
      anonymous: most.anonymous - idle.anonymous,
      rss: most.rss - idle.rss,
      idle: idle.anonymous,
    })
  }
  const middle = (part: keyof Figures): number =>
    spreadOf(figures.map((figure) => figure[part])).median
  const ratio = ratiosOf(
    figures.map(({ beside }) => beside),
    figures.map(({ without }) => without),
  )
  const memory = middle('anonymous')
  return [
    {
      work: `${work}, p99`,
      elkyn: milliseconds(middle('beside')),
      other: 'without it',
      otherFigure: milliseconds(middle('without')),
      ratio,
      target: atMost(timesLimit, ratio),
      note: `the body takes ${(middle('elapsedMs') / 1000).toFixed(1)} s, ${Math.round(middle('perSecond'))} small ones a second were answered, the slowest in ${milliseconds(middle('greatest'))}`,
    },
    {
      work: `${work}, peak memory`,
      elkyn: `${Math.round(memory / 1e6)} MB more`,
      other: 'idle',
      otherFigure: `${Math.round(middle('idle') / 1e6)} MB`,
      target: { text: 'under 400 MB', isReached: memory < memoryLimit },
      note: `without pages of the data file, which the system takes back when it wants to; with them ${Math.round(middle('rss') / 1e6)} MB more`,
    },
  ]
}

/** Writes an object of records and returns how many there are. */
async function writeBody(file: string, bytes: number): Promise<number> {
  let count = 0
  function* pieces(): Iterable<string> {
    let length = 0
    while (length < bytes) {
      const { key, json } = itemOf(count)
      const piece = `${count === 0 ? '{' : ','}"${key}":${json.toString()}`
      length += Buffer.byteLength(piece)
      count++
      yield piece
    }
    yield '}'
  }
  // On the disk before anything is measured, which the system would otherwise put there meanwhile.
  await pipeline(Readable.from(pieces()), createWriteStream(file, { flush: true }))
  return count
}

async function checkLast(port: number, count: number): Promise<void> {
  const { key } = itemOf(count - 1)
  const response = await fetch(`http://127.0.0.1:${port}/large/${key}.json`)
  assert.deepEqual(await response.json(), recordOf(count - 1))
}

function milliseconds(time: number): string {
  return `${time.toPrecision(3)} ms`
}
