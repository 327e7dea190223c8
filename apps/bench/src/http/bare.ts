import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { itemOf } from '../records.ts'
import type { BenchServer } from './server.ts'

/**
 * node:http by itself: the same constant for every GET, as long as a record, and for everything else the
 * body that it has read.
 */
export async function startBare(): Promise<BenchServer> {
  const json = itemOf(0).json.toString('latin1')
  const server = createServer((request, response) => {
    if (request.method !== 'GET') return answerBody(request, response)
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': json.length })
    response.end(json, 'latin1')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    pathOf: (key) => `/${key}`,
    recordIn: (body) => body,
    isStoring: false,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function answerBody(request: IncomingMessage, response: ServerResponse): void {
  const pieces: Buffer[] = []
  request.on('data', (piece: Buffer) => pieces.push(piece))
  request.on('end', () => {
    const body = Buffer.concat(pieces)
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length })
    response.end(body)
  })
}
