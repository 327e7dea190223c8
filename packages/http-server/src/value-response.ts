import { prettyPrint } from '@elkyn/tree'
import type { HttpResponse } from './message.ts'
import type { Print } from './parameters.ts'
import { ResumedBlocks } from './resumed-blocks.ts'
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
  return new ResumedBlocks([first.value, second.value], iterator)
}
