import { ratiosOf, spreadOf } from '../../spread.ts'
import { markerOf } from '../../streams/dialect.ts'
import { startStreamServer } from '../../streams/started-stream-server.ts'
import { startStreamLoad } from '../../streams/stream-load.ts'
import { atMost } from '../../table.ts'
import type { Row } from '../../table.ts'
import type { GroupOptions } from '../group.ts'

const missed = 10_000
const burst = 50
const limit = 2

/** How a client comes back. */
interface Return {
  readonly name: string
  readonly path: string
  /** The event that it had last. */
  readonly id: string
}

interface Contender extends Return {
  readonly own: number[]
  readonly other: number[]
  bytes: number
}

/**
 * A client that comes back, against what it takes to send it as many bytes: to where others went on watching, or to where
 * it was the only one, whose events are in memory; and to where nobody was watching, so that they are read from the log.
 */
export async function streamsResumeGroup({ isQuick, rounds, say }: GroupOptions): Promise<Row[]> {
  const logged = isQuick ? 200_000 : 10_000_000
  const work = `resume behind ${missed.toLocaleString('en')} missed changes, on a log of ${logged.toLocaleString('en')}`
  say(`${work}: writing the log`)
  await using elkyn = await startStreamServer('ThreadPoolHttpServer', logged)
  await using plain = await startStreamServer('socket.write')
  await using load = await startStreamLoad()
  const { port, dialect } = elkyn
  let written = 0
  const write = async (): Promise<void> => {
    written += missed
    // A reader is there, so that it is known when all have been written.
    await load.open({ port, dialect, topics: ['feed'] })
    await load.fanOut({ port, dialect, groups: missed / burst, burst })
    await load.close()
  }
  const measure = async (returns: readonly Return[]): Promise<Row[]> => {
    const contenders = returns.map((one): Contender => ({ ...one, own: [], other: [], bytes: 0 }))
    // The first round is a warm-up.
    for (let round = 0; round <= rounds; round++) {
      for (const contender of contenders) {
        const { name, path, id, own, other } = contender
        const request = resumeRequest(path, id)
        const resumed = await load.read({ port, request, end: markerOf(written) })
        const { bytes } = resumed
        const sent = await load.read({ port: plain.port, request: bytesRequest(bytes), end: '' })
        say(
          `  ${name}: ${resumed.elapsedMs.toFixed(1)} ms, against ${sent.elapsedMs.toFixed(1)} ms`,
        )
        contender.bytes = bytes
        if (round === 0) continue
        own.push(resumed.elapsedMs)
        other.push(sent.elapsedMs)
      }
    }
    return contenders.map((contender) => rowOf(work, contender))
  }

  const feedId = await newestId(port, '/feed.json')
  await write()
  const rows = await measure([
    { name: 'others watched meanwhile', path: '/feed.json', id: feedId },
    { name: 'nobody had watched', path: '/.json', id: feedId },
  ])
  // Of the root, too, somebody has been told the newest event now, and has gone.
  const rootId = await newestId(port, '/.json')
  await write()
  const alone = await measure([
    { name: 'nobody else watched meanwhile', path: '/.json', id: rootId },
  ])
  return [...rows, ...alone]
}

function rowOf(work: string, { name, own, other, bytes }: Contender): Row {
  const ratio = ratiosOf(own, other)
  return {
    work: `${work}, ${name}`,
    elkyn: milliseconds(own),
    other: 'socket.write',
    otherFigure: milliseconds(other),
    ratio,
    target: atMost(limit, ratio),
    note: `${(bytes / 1e6).toFixed(1)} MB`,
  }
}

/** The id of the event with which a stream begins now. */
async function newestId(port: number, path: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    headers: { Accept: 'text/event-stream' },
  })
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString()
    const id = /^id: (.+)$/m.exec(text)?.[1]
    if (id !== undefined) return id
  }
  throw new Error(`No event came: ${text}`)
}

function resumeRequest(path: string, id: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\nLast-Event-ID: ${id}\r\n\r\n`
}

function bytesRequest(count: number): string {
  return `GET /bytes/${count} HTTP/1.1\r\nHost: bench\r\n\r\n`
}

function milliseconds(figures: readonly number[]): string {
  return `${spreadOf(figures).median.toPrecision(3)} ms`
}
