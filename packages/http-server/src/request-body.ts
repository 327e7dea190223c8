import type { IncomingMessage, ServerResponse } from 'node:http'
import { requestAborted } from './errors.ts'
import { maxParsedBytes } from './plan.ts'

/**
 * The body of a request as it arrives, with backpressure: at most one chunk more than was asked for
 * is taken from the socket, and all of a body that is small. Nothing is read, and no `100 Continue`
 * sent, before somebody asks.
 *
 * `next()` rejects with `ERR_REQUEST_ABORTED` when the connection ends before the body does.
 */
export class RequestBody implements AsyncIterableIterator<Uint8Array> {
  readonly #message: IncomingMessage
  readonly #response: ServerResponse
  readonly #chunks: Uint8Array[] = []
  /** To stop and go on between two chunks costs more than to hold the rest. */
  readonly #isSmall: boolean
  #state: 'untouched' | 'reading' | 'ended' | 'aborted' = 'untouched'
  #wake: (() => void) | undefined
  /** Bytes that arrived while somebody wanted them. */
  receivedBytes = 0

  constructor(message: IncomingMessage, response: ServerResponse) {
    this.#message = message
    this.#response = response
    this.#isSmall = Number(message.headers['content-length']) <= maxParsedBytes
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#state === 'untouched') this.#begin()
    for (;;) {
      if (this.#state === 'aborted') throw requestAborted()
      const value = this.#chunks.shift()
      if (value !== undefined) return { done: false, value }
      if (this.#state === 'ended') return { done: true, value: undefined }
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      if (!this.#isSmall) this.#message.resume()
      await promise
    }
  }

  /** Stops reading. What is still to come is for the sender of the answer to deal with. */
  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#chunks.length = 0
    if (this.#state === 'untouched' || this.#state === 'reading') this.#stop('ended')
    return { done: true, value: undefined }
  }

  /** To be called when the rest will never come, and the message does not say so itself. */
  abort(): void {
    if (this.#state !== 'ended') this.#stop('aborted')
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #begin(): void {
    const message = this.#message
    if (message.destroyed && !message.complete) {
      this.#state = 'aborted'
      return
    }
    this.#state = 'reading'
    message.on('data', this.#onData)
    message.on('end', this.#onEnd)
    message.on('close', this.#onClose)
    if (expectsContinue(message)) this.#response.writeContinue()
  }

  readonly #onData = (chunk: Uint8Array): void => {
    this.receivedBytes += chunk.length
    this.#chunks.push(chunk)
    if (!this.#isSmall) this.#message.pause()
    this.#wakeUp()
  }

  readonly #onEnd = (): void => this.#stop('ended')

  readonly #onClose = (): void => this.#stop('aborted')

  #stop(state: 'ended' | 'aborted'): void {
    this.#state = state
    this.#message.off('data', this.#onData)
    this.#message.off('end', this.#onEnd)
    this.#message.off('close', this.#onClose)
    this.#message.pause()
    this.#wakeUp()
  }

  #wakeUp(): void {
    this.#wake?.()
    this.#wake = undefined
  }
}

/** Whether a request announces a body, which may still be on its way. */
export function announcesBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length']
  return (length !== undefined && length !== '0') || headers['transfer-encoding'] !== undefined
}

/** Whether the client waits for `100 Continue` before it sends the body. */
function expectsContinue({ headers, httpVersion }: IncomingMessage): boolean {
  return headers.expect !== undefined && httpVersion === '1.1'
}
