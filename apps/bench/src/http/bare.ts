import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { itemOf } from '../records.ts'
import type { BenchServer } from './server.ts'

/** node:http by itself: the same constant for every request, as long as a record. */
export async function startBare(): Promise<BenchServer> {
  const json = itemOf(0).json.toString('latin1')
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': json.length })
    response.end(json, 'latin1')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    pathOf: (key) => `/${key}`,
    recordIn: (body) => body,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
