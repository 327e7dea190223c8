// The client of the HTTP rows where there is no wrk.
import process from 'node:process'
import { tellParent } from '../child.ts'
import { HttpConnection } from './http-connection.ts'
import type { LoadRequest, LoadResult } from './load.ts'

process.on('message', (request: LoadRequest) => {
  void run(request).then(tellParent)
})
tellParent({})

async function run({ port, paths, connections, seconds }: LoadRequest): Promise<LoadResult> {
  const requests = paths.map((path) =>
    Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: */*\r\n\r\n`),
  )
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
