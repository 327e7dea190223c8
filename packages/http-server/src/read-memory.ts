import { giveBack } from './give-back.ts'
import type { RequestBody } from './request-body.ts'

/** Less is not worth the call. */
const leastBytes = 16 * 1024

/**
 * Gives back what was read from a socket of a large body. Node reads each time into new memory, and its parser copies the
 * body out of it. That it does is not documented, so that nothing is given back before it was seen.
 */
export class ReadMemory {
  readonly #body: () => RequestBody | undefined
  #isCopied = false

  /** @param body That of the request which is being received. */
  constructor(body: () => RequestBody | undefined) {
    this.#body = body
  }

  /** To be called before the parser reads the bytes, */
  readonly begin = (): void => {
    const body = this.#body()
    if (body !== undefined) body.newest = undefined
  }

  /** and when it has. */
  readonly end = (bytes: Uint8Array): void => {
    if (bytes.length < leastBytes) return
    const newest = this.#body()?.newest
    if (newest !== undefined) this.#isCopied = newest.buffer !== bytes.buffer
    if (this.#isCopied) giveBack(bytes)
  }
}
