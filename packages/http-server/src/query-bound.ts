import { checkKey } from '@elkyn/tree'
import type { QueryBound } from '@elkyn/tree'
import { Refusal } from './refusal.ts'

type Side = 'start' | 'end'

/** A bound as it was sent. */
interface SentBound {
  readonly value: QueryBound['value']
  readonly key?: string
}

/**
 * Reads an end of a range, `3` or `3,"key"`: in JSON, a value, and a key that parts those with this value.
 *
 * @throws {Refusal} 400 for anything else, and for what can't be compared with the order.
 */
export function parseBound(
  text: string,
  orderBy: string,
  { side, isExclusive }: { readonly side: Side; readonly isExclusive: boolean },
): QueryBound {
  const { value, key } = parseSent(text, orderBy)
  const extreme = key === undefined ? undefined : extremes.get(key)
  // The official client library names no child where all children with the value are meant.
  if (extreme !== undefined) return extreme === side ? { value } : { value, isExclusive: true }
  return {
    value,
    ...(key === undefined ? {} : { key: validKey(key) }),
    ...(isExclusive ? { isExclusive } : {}),
  }
}

/** The same for `equalTo`, which is both ends at once. */
export function parseExact(text: string, orderBy: string): QueryBound {
  const { value, key } = parseSent(text, orderBy)
  return key === undefined ? { value } : { value, key: validKey(key) }
}

// Names that stand before and behind all keys, and the end of a range at which they leave nothing out.
const extremes: ReadonlyMap<string, Side> = new Map([
  ['[MIN_NAME]', 'start'],
  ['[MAX_NAME]', 'end'],
])

function parseSent(text: string, orderBy: string): SentBound {
  const comma = commaIn(text)
  const value = primitive(comma === -1 ? text : text.slice(0, comma))
  if (orderBy === '$key') {
    if (typeof value !== 'string') {
      throw new Refusal(400, 'Provided key index type is invalid, must be string')
    }
    // [unconfirmed] The text; a key needs no other key to part it from its equals.
    if (comma !== -1) throw invalidKey()
    return { value }
  }
  // [unconfirmed] The text.
  if (orderBy === '$priority' && typeof value === 'boolean') {
    throw new Refusal(400, 'Provided priority index type is invalid, must be string or number')
  }
  if (comma === -1) return { value }
  const key = parsed(text.slice(comma + 1))
  if (typeof key !== 'string') throw invalidKey()
  return { value, key }
}

/** Where the first comma is that stands in no string. */
function commaIn(text: string): number {
  let isInString = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '"') isInString = !isInString
    else if (character === '\\') at++
    else if (character === ',' && !isInString) return at
  }
  return -1
}

function primitive(text: string): QueryBound['value'] {
  const value = parsed(text)
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw new Refusal(400, 'Constraint index field must be a JSON primitive')
}

/** @returns `undefined` for what is no JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function validKey(key: string): string {
  try {
    checkKey(key)
    return key
  } catch {
    throw invalidKey()
  }
}

function invalidKey(): Refusal {
  return new Refusal(400, 'Constraint key field must be a valid key name')
}
