import { statSync } from 'node:fs'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { requestBytes } from '../../http/http-connection.ts'
import { startPacedLoad } from '../../http/paced-load.ts'
import { startServer } from '../../http/started-server.ts'
import { LIST } from '../../records.ts'
import type { Row } from '../../table.ts'
import type { GroupOptions } from '../group.ts'

const perSecond = 500
const logMaxBytes = 8 * 1024 * 1024
// With its key a record takes about 225 bytes.
const bytesPerRecord = 225

/** Writes that replace records, beside readers that do nothing and a client that hardly takes its download. */
export async function poolFileGroup({ isQuick, minutes, say }: GroupOptions): Promise<Row[]> {
  const megabytes = isQuick ? 30 : 300
  const work = `${minutes} minutes of writes beside idle readers and a stalled download of ${megabytes} MB, data file`
  say(work)
  await using resources = new AsyncDisposableStack()
  const records = Math.ceil((megabytes * 1e6) / bytesPerRecord)
  const server = resources.use(
    await startServer({ server: 'ThreadPoolHttpServer', records, logMaxBytes }),
  )
  const load = resources.use(await startPacedLoad())
  await load.start({ port: server.port, requests: server.nextWrites(), connections: 64, perSecond })
  using download = new StalledDownload(server.port)
  const points = 20
  const sizes: number[] = []
  for (let point = 0; point <= points; point++) {
    if (point > 0) await setTimeout((minutes * 60_000) / points)
    sizes.push(statSync(join(server.folder, 'data.mdb')).size / 1e6)
    say(`  ${sizes.at(-1)!.toFixed(1)} MB, ${(download.bytes / 1e6).toFixed(1)} MB downloaded`)
  }
  const { answers } = await load.stop()
  await server.checkWrites(1000)
  const taken = download.stop()
  // The first tenth is for what the store needs to begin with: free pages, and the longest commit.
  const first = sizes[points / 10]!
  const last = sizes.at(-1)!
  return [
    {
      work,
      elkyn: `${last.toFixed(1)} MB`,
      other: 'after a tenth',
      otherFigure: `${first.toFixed(1)} MB`,
      ratio: spread(last / first),
      target: { text: 'flat: at most 1.01', isReached: last / first <= 1.01 },
      note: `${answers.toLocaleString('en')} writes; ${(taken / 1e6).toFixed(1)} MB of the download taken; change log limited to 8 MiB; every tenth, in MB: ${sizes
        .filter((_, index) => index % 2 === 0)
        .map((size) => size.toFixed(1))
        .join(', ')}`,
    },
  ]
}

const burstBytes = 2 ** 20

/** Takes a little now and then, so that the server does not give it up. */
class StalledDownload implements Disposable {
  readonly #socket: Socket
  readonly #timer: NodeJS.Timeout
  #bytes = 0
  #burst = 0

  constructor(port: number) {
    this.#socket = connect({ host: '127.0.0.1', port })
    this.#socket.on('data', (piece: Buffer) => {
      this.#bytes += piece.length
      this.#burst += piece.length
      if (this.#burst >= burstBytes) this.#socket.pause()
    })
    // Looked at in the end.
    this.#socket.on('error', () => {})
    this.#socket.write(requestBytes(port, { path: `/${LIST}.json` }))
    // Sooner than a client that takes nothing is given up.
    this.#timer = setInterval(() => {
      this.#burst = 0
      this.#socket.resume()
    }, 5000)
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Returns the bytes that it had. */
  stop(): number {
    if (this.#socket.closed) throw new Error(`The download ended after ${this.#bytes} bytes`)
    this[Symbol.dispose]()
    return this.#bytes
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#socket.destroy()
  }
}

function spread(figure: number): { median: number; least: number; greatest: number } {
  return { median: figure, least: figure, greatest: figure }
}
