import type { Readable } from 'node:stream'
import type { ArrivingBodies, ArrivingBody } from './arriving-bodies.ts'
import { requestAborted } from './errors.ts'
import { GatheredBytes } from './gathered-bytes.ts'
import { giveBack } from './give-back.ts'
import { maxParsedBytes } from './plan.ts'
import { Refusal } from './refusal.ts'

/** What a version of HTTP knows of a body. */
export interface BodyFacts {
  /** In bytes, as the request says it. NaN where it doesn't. */
  readonly length: number
  /** Whether its chunks are copies, of which nobody else knows. */
  readonly isCopied: boolean
  /** Whether the end of the body was received. */
  hasArrived(): boolean
  /** Called when somebody wants the body. */
  prepare(): void
  /** Counts what is held of it while it is small, or as long as it is held whole. */
  readonly arriving: ArrivingBodies
}

/**
 * So much may wait to be asked for: somewhat less than is read from a socket at once, which so is one piece, and not so much
 * less that many chunks of it would be left elsewhere.
 */
const enoughBytes = 60 * 1024

/**
 * The body of a request as it arrives, with backpressure: little more than was asked for is taken from the socket, and all
 * of a body that is small. Chunks that have come meanwhile are one, because a client may make each a byte long. Nothing is
 * read, and no `100 Continue` sent, before somebody asks.
 *
 * `next()` rejects with `ERR_REQUEST_ABORTED` when the connection ends before the body does, and with 503 when it has to give
 * way to others.
 */
export class RequestBody implements AsyncIterableIterator<Uint8Array>, ArrivingBody {
  readonly #source: Readable
  readonly #facts: BodyFacts
  readonly #arrived = new GatheredBytes((chunk) => this.giveBack(chunk))
  /** To stop and go on between two chunks costs more than to hold the rest. */
  readonly #isSmall: boolean
  #state: 'untouched' | 'reading' | 'ended' | 'aborted' = 'untouched'
  #wake: (() => void) | undefined
  #failure: Error | undefined
  /** Whether whoever reads it holds all of it to its end, however long it is. */
  #isHeld = false
  /** Bytes that arrived while somebody wanted them. */
  receivedBytes = 0
  /** The newest of them, as long as whoever reads them below wants to know. */
  newest: Uint8Array | undefined

  constructor(source: Readable, facts: BodyFacts) {
    this.#source = source
    this.#facts = facts
    this.#isSmall = facts.length <= maxParsedBytes
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#state === 'untouched') this.#begin()
    for (;;) {
      if (this.#state === 'aborted') throw this.#failure ?? requestAborted()
      if (this.#arrived.length > 0) return { done: false, value: this.#arrived.take() }
      if (this.#state === 'ended') return { done: true, value: undefined }
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      if (!this.#isSmall) this.#source.resume()
      await promise
    }
  }

  /** Stops reading. What is still to come is for the sender of the answer to deal with. */
  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#arrived.take()
    if (this.#state === 'untouched' || this.#state === 'reading') this.#stop('ended')
    return { done: true, value: undefined }
  }

  /** Takes the memory of a chunk back that nobody will look at any more. */
  giveBack(chunk: Uint8Array): void {
    if (this.#facts.isCopied) giveBack(chunk)
  }

  /** To be called by who reads it before that, and holds all of it to its end: it is counted with the small ones then. */
  hold(): void {
    this.#isHeld = true
  }

  /** To be called when the rest will never come, and the message does not say so itself. */
  abort(): void {
    if (this.#state !== 'ended') this.#stop('aborted')
  }

  giveWay(): void {
    this.#failure = new Refusal(503, 'The server is busy: The body came too slowly', [
      'Retry-After',
      '1',
    ])
    this.abort()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #begin(): void {
    const source = this.#source
    if (source.destroyed && !this.#facts.hasArrived()) {
      this.#state = 'aborted'
      return
    }
    this.#state = 'reading'
    source.on('data', this.#onData)
    source.on('end', this.#onEnd)
    source.on('close', this.#onClose)
    this.#facts.prepare()
  }

  readonly #onData = (chunk: Uint8Array): void => {
    this.receivedBytes += chunk.length
    const isHeld = this.#isHeld || this.receivedBytes <= maxParsedBytes
    if (isHeld) this.#facts.arriving.add(this, chunk.length)
    else this.#facts.arriving.remove(this)
    if (this.#state !== 'reading') return
    this.newest = chunk
    this.#arrived.add(chunk)
    if (!this.#isSmall && this.#arrived.length >= enoughBytes) this.#source.pause()
    this.#wakeUp()
  }

  readonly #onEnd = (): void => this.#stop(this.#facts.hasArrived() ? 'ended' : 'aborted')

  readonly #onClose = (): void => this.#stop('aborted')

  #stop(state: 'ended' | 'aborted'): void {
    this.#facts.arriving.remove(this)
    this.#state = state
    this.#source.off('data', this.#onData)
    this.#source.off('end', this.#onEnd)
    this.#source.off('close', this.#onClose)
    this.#source.pause()
    this.#wakeUp()
  }

  #wakeUp(): void {
    this.#wake?.()
    this.#wake = undefined
  }
}
