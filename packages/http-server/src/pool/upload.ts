import { setImmediate } from 'node:timers/promises'
import { requestAborted } from '../errors.ts'
import { giveBack } from '../give-back.ts'
import type { HttpRequest, HttpRequestHead, HttpResponse } from '../message.ts'
import type { SmallRequests } from './small-requests.ts'

// Pieces that may wait while one is being parsed.
const maxWaiting = 4

/** So long, in milliseconds, at most, should be parsed without a rest; */
const sliceMs = 0.5

/** what that comes to depends on the machine, and on how often the code has run before. */
const leastSliceBytes = 1024
const mostSliceBytes = 16 * 1024

/** The longest rest behind a piece, in milliseconds. */
const mostRestMs = 10

// More than the pool and {@link pieceBytes} put before a piece.
const taskHeadBytes = 64

/**
 * A request whose body arrives piece by piece from another thread. The handler that answers it takes
 * them at its own speed, and may answer before it has seen all of them.
 */
export class Upload implements HttpRequest {
  readonly method: string
  readonly url: string
  readonly headers: HttpRequest['headers']
  readonly #controller = new AbortController()
  readonly #small: SmallRequests
  readonly #now: () => number
  readonly #pieces: Uint8Array[] = []
  #sliceBytes = leastSliceBytes
  #isFirst = true
  #state: 'open' | 'ended' | 'aborted' = 'open'
  #wakeTaker: (() => void) | undefined
  #wakeGiver: (() => void) | undefined
  /** The answer, once there is one. Never rejects. */
  readonly answer: Promise<HttpResponse>
  #isAnswered = false

  /**
   * @param small Those that should not wait for this one.
   * @param now A clock in milliseconds. Default: that of the process.
   */
  constructor(
    head: HttpRequestHead,
    handle: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>,
    small: SmallRequests,
    now: () => number = () => performance.now(),
  ) {
    this.#small = small
    this.#now = now
    this.method = head.method
    this.url = head.url
    this.headers = head.headers
    this.answer = this.#answer(handle)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get body(): AsyncIterable<Uint8Array> {
    return this.#taken()
  }

  /** Adds a piece, which nobody else uses any more. Resolves when the next one is wanted, or none any more. */
  async add(piece: Uint8Array): Promise<void> {
    this.#pieces.push(piece)
    this.#wakeTaker?.()
    while (this.#pieces.length >= maxWaiting && !this.#isAnswered) {
      await new Promise<void>((resolve) => {
        this.#wakeGiver = resolve
      })
    }
  }

  /** Says that the body is complete. */
  end(): void {
    this.#state = 'ended'
    this.#wakeTaker?.()
  }

  /** Says that the client has gone. */
  abort(): void {
    if (this.#state === 'open') this.#state = 'aborted'
    this.#controller.abort()
    this.#wakeTaker?.()
  }

  async #answer(
    handle: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>,
  ): Promise<HttpResponse> {
    const answer = await handle(this)
    this.#isAnswered = true
    this.#pieces.length = 0
    this.#wakeGiver?.()
    return answer
  }

  async *#taken(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#state === 'aborted') throw requestAborted()
      const piece = this.#pieces.shift()
      if (piece !== undefined) {
        this.#wakeGiver?.()
        yield* this.#slices(piece)
      } else if (this.#state === 'ended') {
        return
      } else {
        await new Promise<void>((resolve) => {
          this.#wakeTaker = resolve
        })
      }
    }
  }

  /**
   * A piece in slices, each behind what has come before it: small requests are taken in the next turn of the event
   * loop, and committed at its end, where the first of the two waits ends as well. While there are some, it is at work
   * for half of the time at most: what it keeps busy are the disk and the other processors, too.
   */
  async *#slices(piece: Uint8Array): AsyncGenerator<Uint8Array> {
    let workedMs = 0
    for (let start = 0; start < piece.length;) {
      await setImmediate()
      await setImmediate()
      if (this.#state === 'aborted') throw requestAborted()
      const end = start + this.#sliceBytes
      const begun = this.#now()
      yield piece.subarray(start, end)
      const tookMs = this.#now() - begun
      this.#fitSlices(tookMs)
      workedMs += tookMs
      start = end
    }
    if (this.#small.areThere()) await rest(Math.min(workedMs, mostRestMs))
    // With the first one a body is large enough to be staged. From then on nobody holds pieces.
    if (!this.#isFirst) giveBack(piece, taskHeadBytes)
    this.#isFirst = false
  }

  #fitSlices(tookMs: number): void {
    if (tookMs > sliceMs) this.#sliceBytes = Math.max(this.#sliceBytes / 2, leastSliceBytes)
    else if (tookMs < sliceMs / 2) {
      this.#sliceBytes = Math.min(this.#sliceBytes * 2, mostSliceBytes)
    }
  }
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
