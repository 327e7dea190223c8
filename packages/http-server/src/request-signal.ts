import type { Exchange } from './exchange.ts'

/** The signal of a request, which is aborted when nobody waits for the answer any more. */
export class RequestSignal {
  readonly #controller = new AbortController()
  readonly #exchange: Pick<Exchange, 'offGone'>

  constructor(exchange: Pick<Exchange, 'isGone' | 'onGone' | 'offGone'>) {
    this.#exchange = exchange
    if (exchange.isGone) this.#abort()
    else exchange.onGone(this.#abort)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** It will not be aborted any more. */
  forget(): void {
    this.#exchange.offGone(this.#abort)
  }

  readonly #abort = (): void => this.#controller.abort()
}
