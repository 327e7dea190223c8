import { sha1 } from '@noble/hashes/legacy.js'
import type { TreeValue } from './tree-value.ts'

/** The etag of nothing. */
export const nullEtag = 'null_etag'

const encoder = new TextEncoder()

/**
 * A digest of a value with its priorities: SHA-1 of its canonical text in export form, 28
 * characters of base 64. Equal values have equal ones, in every store. It detects changes; it
 * does not protect against somebody who makes collisions.
 */
export function etagOf(value: TreeValue): string {
  if (value.isNull) return nullEtag
  return btoa(String.fromCharCode(...sha1(encoder.encode(value.toText('export')))))
}
