import type { Claim } from './work-queue.ts'

/** A slot that is being written. */
export class SlotClaim implements Claim {
  readonly bytes: Uint8Array<SharedArrayBuffer>
  #end: ((publishedBytes: number | undefined) => void) | undefined

  /** @param end is called once, with the length of the item or `undefined` for none */
  constructor(
    bytes: Uint8Array<SharedArrayBuffer>,
    end: (publishedBytes: number | undefined) => void,
  ) {
    this.bytes = bytes
    this.#end = end
  }

  publish(byteLength: number = this.bytes.length): void {
    if (!Number.isInteger(byteLength) || byteLength < 0 || byteLength > this.bytes.length) {
      throw new RangeError(`Cannot publish ${byteLength} bytes: ${this.bytes.length} were claimed`)
    }
    if (this.#end === undefined) {
      throw new TypeError('Cannot publish a claim: it was published or abandoned before')
    }
    this.#finish(byteLength)
  }

  abandon(): void {
    this.#finish(undefined)
  }

  [Symbol.dispose](): void {
    this.#finish(undefined)
  }

  #finish(publishedBytes: number | undefined): void {
    const end = this.#end
    this.#end = undefined
    end?.(publishedBytes)
  }
}
