import { HEAD_NUMBER_BYTES, readHeadNumber, writeHeadNumber } from './entry.ts'
import type { Lmdb } from './lmdb.ts'
import type { ReadOptions } from './lmdb-types.ts'

/** Counters of the whole environment. */
export interface Counters {
  /** The number that the next head gets. */
  nextHead: number
  /** Grows whenever a head goes away: whoever remembers heads forgets them then. */
  headsGone: number
}

const KEY = Buffer.from('counters')

export function readCounters(lmdb: Lmdb, options: ReadOptions | undefined): Counters {
  const bytes = lmdb.readBytes(lmdb.meta, KEY, options)
  // Zero is the head above the root.
  if (bytes === undefined) return { nextHead: 1, headsGone: 0 }
  return {
    nextHead: readHeadNumber(bytes, 0),
    headsGone: readHeadNumber(bytes, HEAD_NUMBER_BYTES),
  }
}

export function writeCounters(lmdb: Lmdb, counters: Counters): void {
  const bytes = Buffer.alloc(2 * HEAD_NUMBER_BYTES)
  writeHeadNumber(counters.nextHead, bytes, 0)
  writeHeadNumber(counters.headsGone, bytes, HEAD_NUMBER_BYTES)
  lmdb.meta.put(KEY, bytes)
}
