import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { plainFrame } from './dialect.ts'

const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n'

export interface PlainServer extends AsyncDisposable {
  readonly port: number
}

/**
 * The least that a server of streams has to do: for each event, or for several that were joined, a loop that
 * writes bytes to every socket which were made once. `GET /bytes/<count>` sends so many.
 */
export async function startPlainServer(): Promise<PlainServer> {
  const sockets = new Set<Socket>()
  const readers = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      readers.delete(socket)
    })
    // Requests are sent one at a time, and are small.
    socket.on('data', (chunk: Buffer) => {
      const [method, path = ''] = chunk.toString('latin1', 0, 100).split(' ')
      if (method === 'POST') publish(path, readers, socket)
      else if (path.startsWith('/bytes/')) sendBytes(Number(path.slice(7)), socket)
      else subscribe(readers, socket)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

function subscribe(readers: Set<Socket>, socket: Socket): void {
  readers.add(socket)
  socket.write(head)
}

function publish(path: string, readers: ReadonlySet<Socket>, writer: Socket): void {
  const [, how, first, count] = path.split('/')
  const frames = Array.from({ length: Number(count) }, (_, index) =>
    Buffer.from(plainFrame(Number(first) + index)),
  )
  const pieces = how === 'joined' ? [Buffer.concat(frames)] : frames
  for (const piece of pieces) for (const reader of readers) reader.write(piece)
  writer.write('HTTP/1.1 204 No Content\r\n\r\n')
}

function sendBytes(count: number, socket: Socket): void {
  const block = Buffer.alloc(64 * 1024, 'x')
  let left = count
  const more = (): void => {
    while (left > 0) {
      const length = Math.min(left, block.length)
      left -= length
      if (!socket.write(block.subarray(0, length))) return
    }
    socket.off('drain', more)
    socket.end()
  }
  socket.write(head)
  socket.on('drain', more)
  more()
}
