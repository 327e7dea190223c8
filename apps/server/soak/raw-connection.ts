import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'

export interface RawAnswer {
  readonly status: number
  readonly body: Buffer
}

/** A connection on which bytes are sent and taken as its user likes, unlike any client's. */
export class RawConnection implements Disposable {
  readonly #socket: Socket
  readonly #chunks: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  /** @throws {Error} when nobody listens. */
  static async open(url: string): Promise<RawConnection> {
    const { hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port) })
    await once(socket, 'connect')
    return new RawConnection(socket)
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    // Who reads, or waits for an answer, sees it.
    socket.on('error', () => {})
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  }

  /** Sends a request; of its body only `sentBytes`, if said. */
  send(method: string, path: string, body?: string, sentBytes?: number): void {
    const bytes = Buffer.from(body ?? '')
    const length = body === undefined ? '' : `Content-Length: ${bytes.length}\r\n`
    this.#socket.write(`${method} ${path} HTTP/1.1\r\nHost: soak\r\n${length}\r\n`)
    if (bytes.length > 0) this.#socket.write(bytes.subarray(0, sentBytes))
  }

  /** Resolves when everything sent so far is in the hands of the system. */
  async flushed(): Promise<void> {
    while (this.#socket.writableLength > 0 && !this.#socket.destroyed) {
      await once(this.#socket, 'drain').catch(() => {})
    }
  }

  /**
   * Takes the next answer to its end.
   * @param onPiece Called with each piece of the body; nothing more is read until it resolves.
   * @throws {Error} when the connection ends before that.
   */
  async receive(onPiece: (piece: Buffer) => unknown = () => {}): Promise<RawAnswer> {
    const [statusLine = '', ...lines] = (await this.#until('\r\n\r\n')).split('\r\n')
    const headers = new Map(lines.map((line) => line.toLowerCase().split(': ') as [string, string]))
    const pieces: Buffer[] = []
    const add = async (piece: Buffer): Promise<void> => {
      pieces.push(piece)
      await onPiece(piece)
    }
    if (headers.get('transfer-encoding') === 'chunked') {
      for (;;) {
        const length = Number.parseInt(await this.#until('\r\n'), 16)
        await this.#take(length, add)
        await this.#until('\r\n')
        if (length === 0) break
      }
    } else {
      await this.#take(Number(headers.get('content-length') ?? 0), add)
    }
    return { status: Number(statusLine.split(' ')[1]), body: Buffer.concat(pieces) }
  }

  /** Goes, whatever is on its way. */
  destroy(): void {
    this.#socket.destroy()
  }

  [Symbol.dispose](): void {
    this.destroy()
  }

  async #until(mark: string): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf(mark)
      if (end !== -1) {
        const text = this.#rest.toString('latin1', 0, end)
        this.#rest = this.#rest.subarray(end + mark.length)
        return text
      }
      this.#rest = Buffer.concat([this.#rest, await this.#next()])
    }
  }

  async #take(length: number, add: (piece: Buffer) => Promise<void>): Promise<void> {
    for (let left = length; left > 0;) {
      if (this.#rest.length === 0) this.#rest = await this.#next()
      const piece = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(piece.length)
      left -= piece.length
      await add(piece)
    }
  }

  async #next(): Promise<Buffer> {
    const { done, value } = await this.#chunks.next()
    if (done === true) throw new Error('The connection ended in the middle of an answer')
    return value
  }
}
