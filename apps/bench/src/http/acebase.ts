import { AceBaseServer } from 'acebase-server'
import { freePort } from '../free-port.ts'
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
