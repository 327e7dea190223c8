import { PauseCount, compareIndexValues, compareKeys, isInRange, sortSteps } from '@elkyn/tree'
import type { EdgeRange, IndexValue, QueryEntry } from '@elkyn/tree'
import { iterableOf } from './iterable.ts'
import type { StoredIndex } from './index-catalog.ts'
import { edgeKey, indexStart, isCut, readIndexKey } from './index-key.ts'
import type { IndexKey } from './index-key.ts'
import type { Lmdb } from './lmdb.ts'
import type { ReadOptions } from './lmdb-types.ts'

/** Children of a head by one index. */
export interface IndexScan {
  readonly lmdb: Lmdb
  readonly head: number
  readonly index: StoredIndex
  readonly options: ReadOptions | undefined
  /** Reads what a child is ordered by, where its entry has only the beginning of it. */
  readonly valueOf: (name: string) => IndexValue
}

/** Long texts that are read before whoever asked can do something else. */
const TEXTS_A_PAUSE = 16

/**
 * The children in a range, in the order of the index or from its end, read while they are taken. Of those whose long
 * strings begin the same all are read before the first one is given, with pauses, which are `undefined`.
 */
export function* scanIndex(
  scan: IndexScan,
  range: EdgeRange,
  descending: boolean,
): Generator<QueryEntry | undefined, void, void> {
  const pauses = new PauseCount()
  let cut: { readonly prefix: Buffer; readonly names: string[] } | undefined
  for (const { key, bytes } of keysIn(scan, range, descending)) {
    const { name, value, valueEnd } = key
    if (cut !== undefined && (value !== undefined || !startsWith(bytes, cut.prefix))) {
      yield* inOrder(scan, cut.names, range, descending)
      cut = undefined
    }
    if (value !== undefined) {
      yield { key: name, value }
      continue
    }
    cut ??= { prefix: Buffer.from(bytes.subarray(0, valueEnd)), names: [] }
    cut.names.push(name)
    if (pauses.next()) yield undefined
  }
  if (cut !== undefined) yield* inOrder(scan, cut.names, range, descending)
}

/**
 * Number of children in a range, where that follows from keys alone: `undefined` where an end of the
 * range is a string that keys hold the beginning of.
 */
export function countInIndex(scan: IndexScan, range: EdgeRange): number | undefined {
  const { low, high } = range
  if ((low !== undefined && isCut(low.value)) || (high !== undefined && isCut(high.value))) {
    return undefined
  }
  const [start, end] = bounds(scan, range)
  if (Buffer.compare(start, end) >= 0) return 0
  return scan.lmdb.indexes.count(start, end, scan.options)
}

function bounds(
  { head, index: { number } }: IndexScan,
  { low, high }: EdgeRange,
): [Buffer, Buffer] {
  return [
    low === undefined ? indexStart(head, number) : edgeKey(head, number, low, 'low'),
    high === undefined ? indexStart(head, number + 1) : edgeKey(head, number, high, 'high'),
  ]
}

function* keysIn(
  scan: IndexScan,
  range: EdgeRange,
  descending: boolean,
): Generator<{ readonly key: IndexKey; readonly bytes: Uint8Array }, void, void> {
  const [start, end] = bounds(scan, range)
  if (Buffer.compare(start, end) >= 0) return
  const { lmdb, options } = scan
  for (const bytes of iterableOf(() => lmdb.indexes.keys(start, end, descending, options))) {
    yield { key: readIndexKey(bytes), bytes }
  }
}

/** Children whose long strings begin the same, which only their rows put in order. */
function* inOrder(
  { valueOf, index: { field } }: IndexScan,
  names: readonly string[],
  range: EdgeRange,
  descending: boolean,
): Generator<QueryEntry | undefined, void, void> {
  const pauses = new PauseCount(TEXTS_A_PAUSE)
  const found: QueryEntry[] = []
  for (const key of names) {
    const value = valueOf(key)
    if (isInRange(field, value, key, range)) found.push({ key, value })
    if (pauses.next()) yield undefined
  }
  const compare = (a: QueryEntry, b: QueryEntry): number =>
    compareIndexValues(a.value, b.value) || compareKeys(a.key, b.key)
  const entries = yield* sortSteps(found, compare, undefined)
  yield* descending ? entries.toReversed() : entries
}

function startsWith(bytes: Uint8Array, prefix: Buffer): boolean {
  return bytes.length >= prefix.length && prefix.compare(bytes, 0, prefix.length) === 0
}
