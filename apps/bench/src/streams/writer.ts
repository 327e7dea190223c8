import { connect } from 'node:net'
import type { Socket } from 'node:net'

/**
 * Sends requests over so many connections that each has one at a time: those of one connection would be
 * carried out one after the other.
 */
export class Writer {
  readonly #port: number
  readonly #connections: Connection[] = []

  constructor(port: number) {
    this.#port = port
  }

  /** Resolves when all were answered. Rejects for an answer that is no success. */
  async send(requests: readonly string[]): Promise<void> {
    while (this.#connections.length < requests.length) {
      this.#connections.push(new Connection(this.#port))
    }
    await Promise.all(requests.map((request, index) => this.#connections[index]!.send(request)))
  }

  close(): void {
    for (const connection of this.#connections) connection.close()
  }
}

class Connection {
  readonly #socket: Socket
  #answered: PromiseWithResolvers<void> | undefined

  constructor(port: number) {
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true })
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk))
    this.#socket.on('error', (error) => this.#answered?.reject(error))
    this.#socket.on('close', () => this.#answered?.reject(new Error('The server hung up')))
  }

  send(request: string): Promise<void> {
    this.#answered = Promise.withResolvers()
    this.#socket.write(request, 'latin1')
    return this.#answered.promise
  }

  close(): void {
    this.#answered = undefined
    this.#socket.destroy()
  }

  // The answers are small and come in one piece.
  #take(chunk: Buffer): void {
    const isSuccess = chunk.toString('latin1', 0, 10) === 'HTTP/1.1 2'
    if (isSuccess) this.#answered?.resolve()
    else this.#answered?.reject(new Error(`Answered with: ${String(chunk)}`))
  }
}
