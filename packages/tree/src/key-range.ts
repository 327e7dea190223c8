import { compareKeys } from './key-order.ts'
import type { Branch } from './node.ts'
import type { KeyRange } from './store.ts'

/** @throws {RangeError} when the limit is neither a number of keys nor `Infinity`. */
export function checkKeyRange({ limit = Infinity }: KeyRange): void {
  if (limit === Infinity || (Number.isInteger(limit) && limit >= 0)) return
  throw new RangeError(`Cannot read keys: the limit ${limit} is not a number of keys`)
}

/**
 * The keys of a branch that lie in a range, in the order it asks for.
 * @throws {RangeError} as {@link checkKeyRange}.
 */
export function keysInRange(branch: Branch, range: KeyRange): string[] {
  checkKeyRange(range)
  const { after, before, limit = Infinity, reverse = false } = range
  let keys = [...branch.children.keys()]
  if (after !== undefined) keys = keys.filter((key) => compareKeys(key, after) > 0)
  if (before !== undefined) keys = keys.filter((key) => compareKeys(key, before) < 0)
  if (reverse) keys.reverse()
  return keys.slice(0, limit)
}
