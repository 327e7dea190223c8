import { setImmediate } from 'node:timers/promises'
import { requestAborted } from '../errors.ts'
import type { HttpRequest, HttpRequestHead, HttpResponse } from '../message.ts'

// Pieces that may wait while one is being parsed.
const maxWaiting = 4

/**
 * A request whose body arrives piece by piece from another thread. The handler that answers it takes
 * them at its own speed, and may answer before it has seen all of them.
 */
export class Upload implements HttpRequest {
  readonly method: string
  readonly url: string
  readonly headers: HttpRequest['headers']
  readonly #controller = new AbortController()
  readonly #pieces: Uint8Array[] = []
  #state: 'open' | 'ended' | 'aborted' = 'open'
  #wakeTaker: (() => void) | undefined
  #wakeGiver: (() => void) | undefined
  /** The answer, once there is one. Never rejects. */
  readonly answer: Promise<HttpResponse>
  #isAnswered = false

  constructor(
    head: HttpRequestHead,
    handle: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>,
  ) {
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

  /** Adds a piece. Resolves when the next one is wanted, or none any more. */
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
        yield piece
        // To parse one takes milliseconds. What has come meanwhile is taken in the next turn of the event loop, and
        // committed at its end, where the first of these two waits ends as well.
        await setImmediate()
        await setImmediate()
      } else if (this.#state === 'ended') {
        return
      } else {
        await new Promise<void>((resolve) => {
          this.#wakeTaker = resolve
        })
      }
    }
  }
}
