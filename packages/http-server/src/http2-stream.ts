import type { ServerHttp2Stream } from 'node:http2'
import type { OutgoingStream } from './exchange.ts'
import { writeCopy } from './write-copy.ts'

/** An answer that goes on, beside others of the same connection. */
export class Http2Stream implements OutgoingStream {
  onDrain: (() => void) | undefined
  readonly #stream: ServerHttp2Stream

  /** @param stream Whose head was sent. */
  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream
    stream.on('drain', () => this.onDrain?.())
  }

  get pendingBytes(): number {
    return this.#stream.writableLength
  }

  write(bytes: Uint8Array): boolean {
    return this.#stream.write(bytes)
  }

  writeLent(bytes: Uint8Array, release: () => void): boolean {
    return writeCopy(this, bytes, release)
  }

  end(): void {
    this.#stream.end()
  }

  destroy(): void {
    this.#stream.destroy()
  }
}
