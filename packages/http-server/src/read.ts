import type { JsonForm, Path, TreeSnapshot } from '@elkyn/tree'
import type { Compression } from './compression.ts'
import type { Conditions } from './conditions.ts'
import { listingBlocks } from './listing.ts'
import type { HttpResponse } from './message.ts'
import type { Listing, Print } from './parameters.ts'
import type { ReadPlan } from './plan.ts'
import { queryBlocks } from './query-answer.ts'
import type { QueryRequest } from './query-parameters.ts'
import { Refusal } from './refusal.ts'
import { bareHeaders, errorResponse, withEtag } from './response.ts'
import type { Surface } from './target.ts'
import { valueResponse } from './value-response.ts'
import { wrapped } from './wrapping.ts'
import type { Wrapping } from './wrapping.ts'

/** A request for what is at a path. */
export interface ReadRequest {
  readonly surface: Surface
  readonly path: Path
  readonly shownPath: Path
  readonly print: Print
  readonly form: JsonForm
  /** Names of the children instead of their values. */
  readonly listing: Listing | undefined
  /** Some of the children instead of all. */
  readonly query: QueryRequest | undefined
  readonly timeoutMs: number | undefined
  /** Most bytes of the answer. */
  readonly maxBytes: number | undefined
  readonly wrapping: Wrapping | undefined
  readonly compression: Compression | undefined
  readonly conditions: Conditions
}

/** @throws {Refusal} 400 for a listing or a query with a condition: ETags are of whole values. */
export function planRead(request: ReadRequest): ReadPlan {
  if (request.listing !== undefined && request.conditions.wantsEtag) {
    throw new Refusal(400, "Mixing 'shallow' and etag requests is not supported")
  }
  // [unconfirmed]
  if (request.query !== undefined && request.conditions.wantsEtag) {
    throw new Refusal(400, 'Mixing querying parameters and etag requests is not supported')
  }
  const { timeoutMs, maxBytes, wrapping, compression } = request
  const run: ReadPlan['run'] = (snapshot) => wrapped(read(snapshot, request), wrapping)
  const readsEtag = request.conditions.wantsEtag
  return { kind: 'read', timeoutMs, maxBytes, readsEtag, compression, run }
}

/** A read that took longer than its client wanted to wait, or would be longer than an answer may be. */
export function tooMuchData(): Refusal {
  return new Refusal(
    400,
    'Data requested exceeds the maximum size that can be accessed with a single request.',
  )
}

function read(snapshot: TreeSnapshot, request: ReadRequest): HttpResponse {
  const { path, conditions } = request
  const etag = conditions.wantsEtag ? snapshot.etag(path) : undefined
  if (etag !== undefined && etag === conditions.ifNoneMatch) {
    return { status: 304, headers: withEtag(bareHeaders, etag) }
  }
  const blocks = blocksOf(snapshot, request)
  return blocks === undefined
    ? nothingResponse(request, etag)
    : valueResponse(blocks, request.print, etag)
}

function blocksOf(snapshot: TreeSnapshot, request: ReadRequest): Iterable<Uint8Array> | undefined {
  const { path, listing, query } = request
  if (listing !== undefined) return listingBlocks(snapshot, path, listing)
  if (query !== undefined) return queryBlocks(snapshot, request, query)
  return snapshot.jsonBlocks(path, request.form)
}

/** The answer where nothing is: a success on one surface, a failure on the other. */
export function nothingResponse(
  { surface, shownPath, print }: { surface: Surface; shownPath: string; print: Print },
  etag?: string,
): HttpResponse {
  return surface === 'firebase'
    ? valueResponse(undefined, print, etag)
    : errorResponse(404, `Nothing at ${shownPath}`, withEtag([], etag))
}
