// A process with one server of streams.
import process from 'node:process'
import { SimpleHttpServer, ThreadPoolHttpServer } from '@elkyn/http-server'
import { lmdbStorage, openTree } from '@elkyn/storage-lmdb'
import type { OpenTreeOptions } from '@elkyn/storage-lmdb'
import { fromJson, parsePath } from '@elkyn/tree'
import { jobOfParent, tellParent } from '../child.ts'
import { startPlainServer } from './plain-server.ts'

export interface StreamServerJob {
  readonly server: 'ThreadPoolHttpServer' | 'SimpleHttpServer' | 'socket.write'
  readonly folder: string
  /** Changes that the log has from the beginning. Default: none. */
  readonly logged?: number
}

export interface StreamServerReady {
  readonly port: number
}

export interface StreamServerFacts {
  /** Processor time so far. */
  readonly cpuMs: number
}

const job = jobOfParent() as StreamServerJob
const options: OpenTreeOptions = {
  path: job.folder,
  // Nothing of it may be given up while it is measured.
  log: { maxBytes: 64e9 },
}
// None of the bytes that are counted.
const streams = { keepAliveMs: 3_600_000, maxStreams: 20_000, maxStreamsPerAddress: 20_000 }
const limits = { port: 0, maxConnections: 20_000, streams }
interface Started {
  readonly port: number
  readonly close: () => Promise<void>
}

async function startInThread(): Promise<Started> {
  const tree = await openTree(options)
  const server = new SimpleHttpServer({ ...limits, store: tree.store })
  await server.start()
  const end = async (): Promise<void> => {
    await server.close({ timeoutMs: 0 })
    await tree.close()
  }
  return { port: server.address().port, close: end }
}

async function startPool(): Promise<Started> {
  const server = new ThreadPoolHttpServer({
    ...limits,
    store: lmdbStorage(options),
    threads: 2,
    spoolFolder: job.folder,
  })
  await server.start()
  return { port: server.address().port, close: async () => server.close({ timeoutMs: 0 }) }
}

async function startPlain(): Promise<Started> {
  const server = await startPlainServer()
  return { port: server.port, close: async () => server[Symbol.asyncDispose]() }
}

async function fillLog(count: number): Promise<void> {
  await using tree = await openTree({ ...options, durability: 'relaxed' })
  const batch = 1000
  for (let done = 0; done < count; done += batch) {
    tree.store.commit(
      Array.from({ length: Math.min(batch, count - done) }, (_, index) => ({
        pairs: [
          {
            path: parsePath(`/elsewhere/n${(done + index) % 1000}`),
            value: fromJson(done + index),
          },
        ],
      })),
    )
  }
}

const starters = {
  ThreadPoolHttpServer: startPool,
  SimpleHttpServer: startInThread,
  'socket.write': startPlain,
} satisfies Record<StreamServerJob['server'], () => Promise<Started>>

if (job.logged !== undefined) await fillLog(job.logged)
const { port, close } = await starters[job.server]()
tellParent({ port } satisfies StreamServerReady)
process.on('message', () => {
  globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  tellParent({ cpuMs: (user + system) / 1000 } satisfies StreamServerFacts)
})
process.once('disconnect', () => void close().then(() => process.exit()))
