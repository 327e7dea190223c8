import { SimpleHttpServer, ThreadPoolHttpServer } from '@elkyn/http-server'
import type { MetricsOption } from '@elkyn/http-server'
import { lmdbStorage, openTree } from '@elkyn/storage-lmdb'
import type { OpenTreeOptions } from '@elkyn/storage-lmdb'
import { loadTree } from '../engines/elkyn.ts'
import { LIST } from '../records.ts'
import { itemBatches } from '../works/work.ts'
import type { BenchServer, BenchServerOptions } from './server.ts'

/** The server that does everything in one thread. */
export function startInThread(options: BenchServerOptions): Promise<BenchServer> {
  return start(options, false)
}

/** The same, while it counts what it does. */
export function startMetered(options: BenchServerOptions): Promise<BenchServer> {
  return start(options, { port: 0 })
}

async function start(options: BenchServerOptions, metrics: MetricsOption): Promise<BenchServer> {
  const tree = await openTree(treeOptions(options))
  loadTree(tree, itemBatches(0, options.records))
  const server = new SimpleHttpServer({ store: tree.store, port: 0, metrics })
  await server.start()
  return {
    port: server.address().port,
    ...restPaths,
    async close() {
      await server.close({ timeoutMs: 0 })
      await tree.close()
    },
  }
}

/** The server with threads, over the same storage. */
export async function startPool(options: BenchServerOptions): Promise<BenchServer> {
  const { threads = 4, folder: spoolFolder } = options
  const tree = await openTree(treeOptions(options))
  loadTree(tree, itemBatches(0, options.records))
  await tree.close()
  const store = lmdbStorage(treeOptions(options))
  const server = new ThreadPoolHttpServer({ store, port: 0, threads, spoolFolder })
  await server.start()
  return {
    port: server.address().port,
    ...restPaths,
    close: async () => server.close({ timeoutMs: 0 }),
  }
}

function treeOptions({ folder: path, logMaxBytes }: BenchServerOptions): OpenTreeOptions {
  return logMaxBytes === undefined ? { path } : { path, log: { maxBytes: logMaxBytes } }
}

const restPaths = {
  pathOf: (key: string): string => `/${LIST}/${key}.json`,
  recordIn: (body: unknown): unknown => body,
}
