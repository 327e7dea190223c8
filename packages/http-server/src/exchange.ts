import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Connection } from './connection.ts'
import type { HttpRequest } from './message.ts'
import { RequestBody, announcesBody } from './request-body.ts'

/** One request of a connection and its answer. Makes only what is asked for. */
export class Exchange implements HttpRequest {
  readonly message: IncomingMessage
  readonly response: ServerResponse
  readonly connection: Connection
  #body: RequestBody | undefined
  #signal: AbortSignal | undefined
  #forgetSignal: (() => void) | undefined

  constructor(message: IncomingMessage, response: ServerResponse, connection: Connection) {
    this.message = message
    this.response = response
    this.connection = connection
  }

  get method(): string {
    return this.message.method ?? ''
  }

  get url(): string {
    return this.message.url ?? ''
  }

  get headers(): HttpRequest['headers'] {
    return this.message.headers
  }

  get body(): RequestBody | undefined {
    if (this.#body === undefined && announcesBody(this.message)) {
      this.#body = new RequestBody(this.message, this.response)
    }
    return this.#body
  }

  get signal(): AbortSignal {
    return (this.#signal ??= this.#makeSignal())
  }

  /** To be called when the answer was handed over, or nobody wants it. */
  settled(): void {
    this.#forgetSignal?.()
  }

  #makeSignal(): AbortSignal {
    const controller = new AbortController()
    const abort = (): void => controller.abort()
    if (this.connection.isGone) abort()
    else this.connection.onGone(abort)
    this.#forgetSignal = () => this.connection.offGone(abort)
    return controller.signal
  }
}
