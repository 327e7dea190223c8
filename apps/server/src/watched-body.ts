import type { JsonBody } from './transport.ts'

/** A body that remembers why it failed, for whoever takes it tells only that it did. */
export class WatchedBody {
  readonly body: JsonBody
  /** What the source of the body threw. */
  failure: unknown

  constructor(body: JsonBody) {
    this.body = body instanceof Uint8Array ? body : this.#watch(body)
  }

  async *#watch(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* body
    } catch (error) {
      this.failure = error
      throw error
    }
  }
}
