import { connect } from 'node:net'
import type { Socket } from 'node:net'

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

  /** Sends a request and waits for the whole answer. Rejects when that is not 200. */
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
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  return head.startsWith('HTTP/1.1 200 ') && length !== undefined ? Number(length) : undefined
}
