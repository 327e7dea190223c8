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

/** A client that comes back, against what it takes to send it as many bytes. */
export async function streamsResumeGroup({ isQuick, rounds, say }: GroupOptions): Promise<Row[]> {
  const logged = isQuick ? 200_000 : 10_000_000
  const work = `resume behind ${missed.toLocaleString('en')} missed changes, on a log of ${logged.toLocaleString('en')}`
  say(`${work}: writing the log`)
  await using elkyn = await startStreamServer('ThreadPoolHttpServer', logged)
  await using plain = await startStreamServer('socket.write')
  await using load = await startStreamLoad()
  const { port, dialect } = elkyn
  const id = await newestId(port)
  // A reader is there, so that it is known when all have been written.
  await load.open({ port, dialect, topics: ['feed'] })
  await load.fanOut({ port, dialect, groups: missed / burst, burst })
  await load.close()
  const own: number[] = []
  const other: number[] = []
  let bytes = 0
  // The first round is a warm-up.
  for (let round = 0; round <= rounds; round++) {
    const resumed = await load.read({ port, request: resumeRequest(id), end: markerOf(missed) })
    bytes = resumed.bytes
    const sent = await load.read({ port: plain.port, request: bytesRequest(bytes), end: '' })
    say(`  ${resumed.elapsedMs.toFixed(1)} ms, against ${sent.elapsedMs.toFixed(1)} ms`)
    if (round === 0) continue
    own.push(resumed.elapsedMs)
    other.push(sent.elapsedMs)
  }
  const ratio = ratiosOf(own, other)
  return [
    {
      work,
      elkyn: milliseconds(own),
      other: 'socket.write',
      otherFigure: milliseconds(other),
      ratio,
      target: atMost(limit, ratio),
      note: `${(bytes / 1e6).toFixed(1)} MB`,
    },
  ]
}

/** The id of the event with which a stream begins now. */
async function newestId(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/feed.json`, {
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

function resumeRequest(id: string): string {
  return `GET /feed.json HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\nLast-Event-ID: ${id}\r\n\r\n`
}

function bytesRequest(count: number): string {
  return `GET /bytes/${count} HTTP/1.1\r\nHost: bench\r\n\r\n`
}

function milliseconds(figures: readonly number[]): string {
  return `${spreadOf(figures).median.toPrecision(3)} ms`
}
