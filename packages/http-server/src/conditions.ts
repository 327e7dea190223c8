import { nullEtag } from '@elkyn/tree'
import type { HttpRequestHead } from './message.ts'
import { isSafe } from './method.ts'
import type { Method } from './method.ts'
import { Refusal } from './refusal.ts'

/** What a request says about ETags. */
export interface Conditions {
  /** The answer is to carry the ETag of what it speaks of. */
  readonly wantsEtag: boolean
  /** Write only if this is the ETag of what is there. */
  readonly ifMatch?: string
  /** Send nothing if this is the ETag of what is there. */
  readonly ifNoneMatch?: string
}

// Which method takes `X-Firebase-ETag: true`, and which `if-match`.
const supported: Readonly<Record<Method, { readonly etag: boolean; readonly ifMatch: boolean }>> = {
  GET: { etag: true, ifMatch: false },
  HEAD: { etag: true, ifMatch: false },
  PUT: { etag: true, ifMatch: true },
  PATCH: { etag: false, ifMatch: false },
  POST: { etag: true, ifMatch: false },
  DELETE: { etag: true, ifMatch: true },
}

const none: Conditions = { wantsEtag: false }

/** @throws {Refusal} 400 for a condition that the method doesn't take. */
export function parseConditions(method: Method, headers: HttpRequestHead['headers']): Conditions {
  const etag = headers['x-firebase-etag']
  const ifMatch = headers['if-match']
  const ifNoneMatch = headers['if-none-match']
  if (etag === undefined && ifMatch === undefined && ifNoneMatch === undefined) return none
  const wantsEtag = String(etag).toLowerCase() === 'true'
  if (wantsEtag && !supported[method].etag) {
    throw new Refusal(400, `ETag requests are not supported for ${method}`)
  }
  if (ifMatch !== undefined && !supported[method].ifMatch) {
    throw new Refusal(400, `if-match is not supported for ${method}`)
  }
  if (ifNoneMatch !== undefined && !isSafe(method)) {
    return { wantsEtag, ifMatch: absence(method, ifMatch, String(ifNoneMatch)) }
  }
  return {
    // A conditional read is told the ETag without asking, because client libraries count on it.
    wantsEtag: wantsEtag || ifNoneMatch !== undefined,
    ...(ifMatch === undefined ? {} : { ifMatch: unquoted(String(ifMatch)) }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: unquoted(String(ifNoneMatch)) }),
  }
}

/**
 * The `if-match` that says the same as the `If-None-Match` of a write: "only if nothing is there" is
 * the one condition of the kind that a store can judge. To drop another would write what the client
 * did not want written.
 */
function absence(method: Method, ifMatch: unknown, ifNoneMatch: string): string {
  if (method !== 'PUT' || ifNoneMatch.trim() !== '*') {
    throw new Refusal(400, `if-none-match is not supported for ${method}`)
  }
  if (ifMatch !== undefined) {
    throw new Refusal(400, 'Mixing if-match and if-none-match is not supported')
  }
  return nullEtag
}

// [unconfirmed] Tags travel without the quotes that HTTP prescribes; a client that adds them is
// understood. Lists, `*` and weak tags are no tag of ours, so that they match nothing.
function unquoted(tag: string): string {
  return /^".*"$/.test(tag) ? tag.slice(1, -1) : tag
}
