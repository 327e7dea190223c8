import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { Request } from './load.ts'

/** The bytes of a request. */
export function requestBytes(
  port: number,
  { method = 'GET', path, headers, body }: Request,
): Buffer {
  const fields = { Host: `127.0.0.1:${port}`, Accept: '*/*', ...headers }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`)
  if (body !== undefined) lines.push(`Content-Length: ${Buffer.byteLength(body)}`)
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body ?? ''}`)
}

/** A keep-alive connection that sends one request after the other and throws the answers away. */
export class HttpConnection {
  readonly #socket: Socket
  #head = ''
  /** Bytes of the body that are still to come; `undefined` while the head is. */
  #bodyLeft: number | undefined
  #answer: PromiseWithResolvers<void> | undefined

  constructor(port: number) {
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true })
    this.#socket.on('data', this.#read)
    this.#socket.on('error', (error) => this.#answer?.reject(error))
    this.#socket.on('close', () => this.#answer?.reject(new Error('The server hung up')))
  }

  /** Sends a request and waits for the whole answer. Rejects when that is neither 200 nor 304. */
  async send(request: Buffer): Promise<void> {
    this.#answer = Promise.withResolvers()
    this.#socket.write(request)
    return this.#answer.promise
  }

  close(): void {
    this.#answer = undefined
    this.#socket.destroy()
  }

  // Only as much of HTTP as the servers here send, so that reading costs less than serving does.
  readonly #read = (chunk: Buffer): void => {
    let bodyStart = 0
    if (this.#bodyLeft === undefined) {
      this.#head += chunk.toString('latin1')
      const end = this.#head.indexOf('\r\n\r\n')
      if (end === -1) return
      bodyStart = chunk.length - (this.#head.length - end - 4)
      this.#bodyLeft = bodyLengthOf(this.#head)
      if (this.#bodyLeft === undefined) {
        this.#answer?.reject(new Error(`Answered with: ${this.#head}`))
        return
      }
      this.#head = ''
    }
    this.#bodyLeft -= chunk.length - bodyStart
    if (this.#bodyLeft > 0) return
    this.#bodyLeft = undefined
    this.#answer?.resolve()
  }
}

function bodyLengthOf(head: string): number | undefined {
  if (head.startsWith('HTTP/1.1 304 ')) return 0
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  return head.startsWith('HTTP/1.1 200 ') && length !== undefined ? Number(length) : undefined
}
