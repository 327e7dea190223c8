// One contender of the bench in a process of its own: sends its port, and then, whenever it is
// asked, the processor time that it has taken.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { openTree } from '@elkyn/storage-lmdb'
import { MemoryTreeStore, parseJson, parsePath } from '@elkyn/tree'
import type { TreeStore } from '@elkyn/tree'
import { SimpleHttpServer } from '../src/index.ts'
import type { SimpleHttpServerOptions } from '../src/index.ts'
import { record } from './record.ts'

type Options = Partial<SimpleHttpServerOptions>

const contenders: Readonly<Record<string, () => Promise<number>>> = {
  bare: startBare,
  memory: () => startElkyn(new MemoryTreeStore()),
  lmdb: startLmdb,
  metered: () => startLmdb({ metrics: { port: 0 } }),
}

const start = contenders[process.argv[2] ?? '']
process.send?.(await start?.())
process.on('message', () => process.send?.(process.cpuUsage()))

/** Reads the body, if there is one, and answers a constant. */
async function startBare(): Promise<number> {
  const body = Buffer.from(record)
  const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length }
  const server = createServer((request, response) => {
    request.on('data', () => {})
    request.on('end', () => {
      response.writeHead(200, headers)
      response.end(body)
    })
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  return (server.address() as AddressInfo).port
}

async function startLmdb(options: Options = {}): Promise<number> {
  const path = mkdtempSync(join(tmpdir(), 'elkyn-bench-'))
  process.on('exit', () => rmSync(path, { recursive: true }))
  process.on('SIGTERM', () => process.exit())
  return startElkyn((await openTree({ path })).store, options)
}

async function startElkyn(store: TreeStore, options: Options = {}): Promise<number> {
  // So many that each is a row of its own in LMDB, as records usually are.
  const value = parseJson(record)
  const paths = Array.from({ length: 1000 }, (_, index) => parsePath(`/users/${index}`))
  store.commit([{ pairs: paths.map((path) => ({ path, value })) }])
  const server = new SimpleHttpServer({ store, port: 0, ...options })
  await server.start()
  return server.address().port
}
