import type { RawHeaders } from './message.ts'

/** Thrown while a request is looked at, to answer it with an error. Never leaves the handler. */
export class Refusal extends Error {
  readonly status: number
  readonly headers: RawHeaders

  constructor(status: number, message: string, headers: RawHeaders = []) {
    super(message)
    this.status = status
    this.headers = headers
  }
}
