// The client of the HTTP rows where there is no wrk.
import process from 'node:process'
import { tellParent } from '../child.ts'
import { HttpConnection, requestBytes } from './http-connection.ts'
import type { LoadRequest, LoadResult } from './load.ts'

process.on('message', (request: LoadRequest) => {
  void run(request).then(tellParent)
})
tellParent({})

async function run(load: LoadRequest): Promise<LoadResult> {
  const { port, connections, seconds } = load
  const requests = load.requests.map((request) => requestBytes(port, request))
  const start = performance.now()
  const end = start + seconds * 1000
  let sent = 0
  const one = async (): Promise<void> => {
    const connection = new HttpConnection(port)
    while (performance.now() < end) await connection.send(requests[sent++ % requests.length]!)
    connection.close()
  }
  await Promise.all(Array.from({ length: connections }, one))
  return { requests: sent, elapsedMs: performance.now() - start }
}
