import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { AceBaseServer } from 'acebase-server'
import { LIST, itemOf } from '../records.ts'
import type { BenchServer, BenchServerOptions } from './server.ts'

/** The server of AceBase without authentication. */
export async function startAceBase({ folder, records }: BenchServerOptions): Promise<BenchServer> {
  const port = await freePort()
  const server = new AceBaseServer('bench', {
    host: '127.0.0.1',
    port,
    path: folder,
    logLevel: 'error',
    sponsor: true,
    authentication: { enabled: false },
  } as ConstructorParameters<typeof AceBaseServer>[1])
  await server.ready()
  const entries = Array.from({ length: records }, (_, number) => {
    const { key, json } = itemOf(number)
    return [key, JSON.parse(json.toString()) as object] as const
  })
  await server.db.ref(LIST).set(Object.fromEntries(entries))
  return {
    port,
    pathOf: (key) => `/data/bench/${LIST}/${key}`,
    recordIn: (body) => (body as { val: unknown }).val,
    bodyOf: (json) => `{"val":${json}}`,
    close: async () => server.shutdown(),
  }
}

/** Its options have no "any port": one that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
