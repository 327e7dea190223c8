import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { memoryOf } from '../../http/process-memory.ts'
import { spreadOf } from '../../spread.ts'
import { startStreamServer } from '../../streams/started-stream-server.ts'
import type { StartedStreamServer } from '../../streams/started-stream-server.ts'
import { startStreamLoad } from '../../streams/stream-load.ts'
import type { Row } from '../../table.ts'
import type { GroupOptions } from '../group.ts'

const warmUp = 500
const limitKiB = 20

/** What a stream takes of the server's memory on which nothing happens. */
export async function streamsMemoryGroup({ isQuick, rounds, say }: GroupOptions): Promise<Row[]> {
  if (process.platform !== 'linux') return []
  const streams = isQuick ? 1000 : 5000
  const work = `memory of an idle stream, of ${streams.toLocaleString('en')}`
  const figures = { one: [] as number[], own: [] as number[], plain: [] as number[] }
  // Nothing here is a matter of speed: few rounds are enough.
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    say(work)
    figures.one.push(await measure('ThreadPoolHttpServer', streams, () => 'feed'))
    figures.own.push(await measure('ThreadPoolHttpServer', streams, (index) => `rooms/${index}`))
    figures.plain.push(await measure('socket.write', streams, () => 'feed'))
  }
  const row = (name: 'one' | 'own', text: string): Row => ({
    work: `${work}, ${text}`,
    elkyn: kibibytes(figures[name]),
    other: 'socket.write',
    otherFigure: kibibytes(figures.plain),
    target: {
      text: `less than ${limitKiB} KiB`,
      isReached: spreadOf(figures[name]).median < limitKiB,
    },
    note: 'in the process of the server, sockets of Node included',
  })
  return [row('one', 'all on one path'), row('own', 'each on a path of its own')]
}

/** In KiB. */
async function measure(
  name: 'ThreadPoolHttpServer' | 'socket.write',
  streams: number,
  topicOf: (index: number) => string,
): Promise<number> {
  await using server = await startStreamServer(name)
  await using load = await startStreamLoad()
  const { port, dialect } = server
  const topics = Array.from({ length: warmUp + streams }, (_, index) => topicOf(index))
  await load.open({ port, dialect, topics: topics.slice(0, warmUp) })
  const before = await memoryAtRest(server)
  await load.open({ port, dialect, topics: topics.slice(warmUp) })
  return ((await memoryAtRest(server)) - before) / 1024 / streams
}

async function memoryAtRest(server: StartedStreamServer): Promise<number> {
  await setTimeout(1000)
  // Collects garbage.
  await server.cpuMs()
  await setTimeout(500)
  await server.cpuMs()
  return memoryOf(server.pid).anonymous
}

function kibibytes(figures: readonly number[]): string {
  return `${spreadOf(figures).median.toFixed(1)} KiB`
}
