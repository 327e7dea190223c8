import { prettyPrint } from '@elkyn/tree'
import type { HttpResponse } from './message.ts'
import type { Print } from './parameters.ts'
import { bareHeaders, jsonHeaders, nullBlocks, withEtag } from './response.ts'

/** The answer that shows a value; nothing is `null`. */
export function valueResponse(
  blocks: Iterable<Uint8Array> | undefined,
  print: Print,
  etag?: string,
): HttpResponse {
  if (print === 'silent') return { status: 204, headers: withEtag(bareHeaders, etag) }
  const value = blocks ?? nullBlocks
  return {
    status: 200,
    headers: withEtag(jsonHeaders, etag),
    body: wholeOrBlocks(print === 'pretty' ? prettyPrint(value) : value),
  }
}

// A body in one piece needs no snapshot any more and has a known length, so it is worth to look
// whether there is a second block.
function wholeOrBlocks(blocks: Iterable<Uint8Array>): Uint8Array | Iterable<Uint8Array> {
  const iterator = blocks[Symbol.iterator]()
  const first = iterator.next()
  if (first.done === true) return new Uint8Array()
  const second = iterator.next()
  if (second.done === true) return first.value
  return new Resumed([first.value, second.value], iterator)
}

// Not a generator: one that never began doesn't pass on that it was ended.
class Resumed implements IterableIterator<Uint8Array> {
  readonly #taken: Uint8Array[]
  readonly #rest: Iterator<Uint8Array>

  constructor(taken: Uint8Array[], rest: Iterator<Uint8Array>) {
    this.#taken = taken
    this.#rest = rest
  }

  next(): IteratorResult<Uint8Array> {
    const value = this.#taken.shift()
    return value === undefined ? this.#rest.next() : { done: false, value }
  }

  return(): IteratorResult<Uint8Array> {
    this.#taken.length = 0
    this.#rest.return?.()
    return { done: true, value: undefined }
  }

  [Symbol.iterator](): this {
    return this
  }
}
