import { connect } from 'node:net'
import { once } from 'node:events'

export interface Load {
  readonly port: number
  readonly connections: number
  readonly durationMs: number
  /** The bytes of one request. Each connection sends it again when it has the whole answer. */
  readonly request: Buffer
}

/**
 * Counts the answers that a server gives in `durationMs`. A client of bare sockets, because one that
 * parses HTTP properly takes more of the second core than the server does of the first.
 */
export async function measure({ port, connections, durationMs, request }: Load): Promise<number> {
  let answers = 0
  const sockets = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect(port, '127.0.0.1').setNoDelay()
      await once(socket, 'connect')
      let expected = 0
      let received = 0
      socket.on('data', (bytes: Buffer) => {
        if (expected === 0) expected = answerLength(bytes)
        received += bytes.length
        if (received < expected) return
        received = 0
        expected = 0
        answers++
        socket.write(request)
      })
      return socket
    }),
  )
  for (const socket of sockets) socket.write(request)
  await new Promise((resolve) => setTimeout(resolve, durationMs))
  const counted = answers
  for (const socket of sockets) socket.destroy()
  return counted
}

// All answers begin with a whole head that gives their length.
function answerLength(bytes: Buffer): number {
  const headEnd = bytes.indexOf('\r\n\r\n')
  const head = bytes.toString('latin1', 0, headEnd)
  const length = /content-length: (\d+)/i.exec(head)?.[1]
  if (!head.startsWith('HTTP/1.1 200') || length === undefined) throw new Error(`Got ${head}`)
  return headEnd + 4 + Number(length)
}
