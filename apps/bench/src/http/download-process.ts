// Clients that download the same thing again and again.
import { connect } from 'node:net'
import process from 'node:process'
import { tellParent } from '../child.ts'
import type { DownloadRequest, DownloadResult } from './downloads.ts'
import { requestBytes } from './http-connection.ts'

const state = { isRunning: false }
let clients: Promise<number>[] = []
const start = { ms: 0 }

process.on('message', (message: DownloadRequest | 'stop') => {
  if (message === 'stop') {
    state.isRunning = false
    void end()
    return
  }
  state.isRunning = true
  start.ms = performance.now()
  clients = Array.from({ length: message.clients }, async () => downloadAgain(message))
  tellParent({})
})
tellParent({})

async function end(): Promise<void> {
  const counts = await Promise.all(clients)
  const elapsedMs = performance.now() - start.ms
  const bytes = counts.reduce((sum, count) => sum + count, 0)
  tellParent({ bytes, elapsedMs } satisfies DownloadResult)
}

async function downloadAgain(request: DownloadRequest): Promise<number> {
  let bytes = 0
  while (state.isRunning) bytes += await download(request)
  return bytes
}

/** Nothing is parsed: a client that does takes a core of its own. Broken off at the end of the run. */
async function download({ port, path, leastBytes }: DownloadRequest): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const socket = connect({ host: '127.0.0.1', port })
  let bytes = 0
  let tail = ''
  socket.on('data', (piece) => {
    bytes += piece.length
    tail = (tail + piece.toString('latin1', Math.max(0, piece.length - 5))).slice(-5)
    if (!state.isRunning) socket.destroy()
  })
  socket.on('error', reject)
  socket.on('close', () => {
    // The last chunk of a chunked answer.
    const isWhole = bytes >= leastBytes && tail === '0\r\n\r\n'
    if (isWhole || !state.isRunning) resolve(bytes)
    else reject(new Error(`A download ended after ${bytes} bytes`))
  })
  socket.write(requestBytes(port, { path, headers: { Connection: 'close' } }))
  return promise
}
