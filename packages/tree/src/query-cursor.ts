import { sha1 } from '@noble/hashes/legacy.js'
import { TreeError } from './errors.ts'
import { keyFault } from './key.ts'
import type { QueryField } from './query-field.ts'
import type { QueryEntry } from './query.ts'
import { anyBranch } from './value-order.ts'
import type { IndexValue } from './value-order.ts'

/*
 * A cursor is the place of one child in the order of one query. Base 64 of JSON in ASCII:
 * [digest of the query, key, value], the value as it is, `{}` for a branch, and of a long string that is
 * not the key { "begins": its beginning, "digest": of the whole }.
 */

/** A string up to so many UTF-16 units stands in a cursor; of most longer ones only the beginning does. */
const heldLength = 256

/** The place of a child that a page ended with. */
export interface CursorPlace {
  readonly key: string
  /** What it was ordered by then, or a long string by its beginning and digest. */
  readonly value: IndexValue | LongString
}

class LongString {
  readonly begins: string
  readonly digest: string

  constructor(begins: string, digest: string) {
    this.begins = begins
    this.digest = digest
  }
}

export function writeCursor({ key, value }: QueryEntry, signature: string): string {
  // A child may be ordered by its key, which is there anyway and has a limit of its own.
  const isLong = typeof value === 'string' && value !== key && value.length > heldLength
  const shown = isLong ? { begins: value.slice(0, heldLength), digest: digestOf(value) } : value
  return toBase64(asciiJson([digestOf(signature), key, shown]))
}

/** @throws {TreeError} `ERR_INVALID_CURSOR` when no query has given it, or one with another signature. */
export function readCursor(cursor: string, signature: string, order: QueryField): CursorPlace {
  const parts = parsed(cursor)
  if (!Array.isArray(parts) || parts.length !== 3) throw invalidCursor('no query has given it')
  const [digest, key, value] = parts as readonly unknown[]
  if (digest !== digestOf(signature)) throw invalidCursor('it is of another query')
  if (typeof key !== 'string' || keyFault(key) !== undefined)
    throw invalidCursor('no query has given it')
  // By key, a child is ordered by nothing else, and what is no key can't be compared with one.
  if (order.kind === 'key' && value !== key) throw invalidCursor('no query has given it')
  return { key, value: valueOf(value) }
}

/**
 * The value that a place stands at, when `current` is what its child is ordered by now.
 * @throws {TreeError} `ERR_INVALID_CURSOR` where a long string has changed since, so that nobody knows.
 */
export function placeValue({ value }: CursorPlace, current: () => IndexValue): IndexValue {
  if (!(value instanceof LongString)) return value
  const now = current()
  const isSame =
    typeof now === 'string' && now.startsWith(value.begins) && digestOf(now) === value.digest
  if (isSame) return now
  throw invalidCursor('the long text that it stands behind has changed. Begin anew')
}

function valueOf(value: unknown): CursorPlace['value'] {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  // JSON has numbers that are too large to be one.
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (typeof value !== 'object' || Array.isArray(value))
    throw invalidCursor('no query has given it')
  if (Object.keys(value).length === 0) return anyBranch
  const begins = 'begins' in value ? value.begins : undefined
  const digest = 'digest' in value ? value.digest : undefined
  if (typeof begins !== 'string' || typeof digest !== 'string')
    throw invalidCursor('no query has given it')
  return new LongString(begins, digest)
}

function parsed(cursor: string): unknown {
  try {
    return JSON.parse(atob(cursor.replaceAll('-', '+').replaceAll('_', '/')))
  } catch {
    throw invalidCursor('no query has given it')
  }
}

function invalidCursor(why: string): TreeError {
  return new TreeError('ERR_INVALID_CURSOR', `Cannot use the cursor: ${why}`)
}

function asciiJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** In the alphabet of URLs, so that it needs no escaping there. */
function toBase64(text: string): string {
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

function digestOf(text: string): string {
  // Half of it tells apart whatever nobody made on purpose.
  return toBase64(
    String.fromCharCode(...sha1(new TextEncoder().encode(asciiJson(text))).slice(0, 9)),
  )
}
