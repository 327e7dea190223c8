import type { JsonForm, Path, TreeSnapshot } from '@elkyn/tree'
import type { Conditions } from './conditions.ts'
import { listingBlocks } from './listing.ts'
import type { HttpResponse } from './message.ts'
import type { Listing, Print } from './parameters.ts'
import type { ReadPlan } from './plan.ts'
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
  readonly print: Print
  readonly form: JsonForm
  /** Names of the children instead of their values. */
  readonly listing: Listing | undefined
  readonly timeoutMs: number | undefined
  /** Most bytes of the answer. */
  readonly maxBytes: number | undefined
  readonly wrapping: Wrapping | undefined
  readonly conditions: Conditions
}

/** @throws {Refusal} 400 for a listing with a condition: there is no ETag of a listing. */
export function planRead(request: ReadRequest): ReadPlan {
  if (request.listing !== undefined && request.conditions.wantsEtag) {
    throw new Refusal(400, "Mixing 'shallow' and etag requests is not supported")
  }
  const { timeoutMs, maxBytes, wrapping } = request
  const run: ReadPlan['run'] = (snapshot) => wrapped(read(snapshot, request), wrapping)
  return { kind: 'read', timeoutMs, maxBytes, run }
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
  const blocks =
    request.listing === undefined
      ? snapshot.jsonBlocks(path, request.form)
      : listingBlocks(snapshot, path, request.listing)
  return blocks === undefined
    ? nothingResponse(request, etag)
    : valueResponse(blocks, request.print, etag)
}

/** The answer where nothing is: a success on one surface, a failure on the other. */
export function nothingResponse(
  { surface, path, print }: { surface: Surface; path: string; print: Print },
  etag?: string,
): HttpResponse {
  return surface === 'firebase'
    ? valueResponse(undefined, print, etag)
    : errorResponse(404, `Nothing at ${path}`, withEtag([], etag))
}
