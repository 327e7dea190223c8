import type { ServerHttp2Stream } from 'node:http2'
import type { OutgoingStream } from './exchange.ts'
import type { PartWriter } from './part-writer.ts'
import { writeCopy } from './write-copy.ts'

/** An answer that goes on, beside others of the same connection. */
export class Http2Stream implements OutgoingStream {
  readonly #stream: ServerHttp2Stream
  readonly #writer: PartWriter

  /** @param stream Whose head was sent. */
  constructor(stream: ServerHttp2Stream, writer: PartWriter) {
    this.#stream = stream
    this.#writer = writer
  }

  get onDrain(): (() => void) | undefined {
    return this.#writer.onDrain
  }

  set onDrain(listener: (() => void) | undefined) {
    this.#writer.onDrain = listener
  }

  get pendingBytes(): number {
    return this.#writer.pendingBytes
  }

  write(bytes: Uint8Array): boolean {
    return this.#writer.write(bytes)
  }

  writeLent(bytes: Uint8Array, release: () => void): boolean {
    return writeCopy(this, bytes, release)
  }

  end(): void {
    this.#writer.end(() => this.#stream.end())
  }

  destroy(): void {
    this.#stream.destroy()
  }
}
