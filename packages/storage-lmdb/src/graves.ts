import { decodeHead, HEAD_NUMBER_BYTES, Kind, readHeadNumber, writeHeadNumber } from './entry.ts'
import type { Head } from './entry.ts'
import { indexStart } from './index-key.ts'
import { removeIndexKeys } from './index-removal.ts'
import { iterableOf } from './iterable.ts'
import { SharedWord } from './lmdb.ts'
import type { Lmdb } from './lmdb.ts'

/*
 * A grave is a head number whose rows are no longer, or not yet, part of the tree. Key: the number
 * (6 bytes). Value: the session (4 bytes) that is staging rows under it, or 0 once it is buried.
 * What an earlier session was staging is buried as well: nobody will link it any more.
 */

const BURIED = 0

export function bury(lmdb: Lmdb, head: number): void {
  putGrave(lmdb, head, BURIED)
}

/** Keeps a head out of the tree and its rows from being removed, until it is linked or buried. */
export function stage(lmdb: Lmdb, head: number): void {
  putGrave(lmdb, head, Atomics.load(lmdb.shared, SharedWord.session))
}

/** Buries a head that was staged, unless it found its place in the tree or lies buried already. */
export function buryUnlinked(lmdb: Lmdb, head: number): void {
  if (lmdb.readBytes(lmdb.graves, keyOf(head), undefined) !== undefined) bury(lmdb, head)
}

export function unbury(lmdb: Lmdb, head: number): void {
  lmdb.graves.remove(keyOf(head))
}

/** The buried heads, oldest numbers first, up to `limit`. */
export function buriedHeads(lmdb: Lmdb, limit: number): number[] {
  const session = Atomics.load(lmdb.shared, SharedWord.session)
  const heads: number[] = []
  const graves = () => lmdb.graves.getRange({ start: keyOf(0) }).iterate()
  for (const { key, value } of iterableOf(graves)) {
    if (Buffer.from(value as Uint8Array).readInt32BE() === session) continue
    heads.push(readHeadNumber(key, 0))
    if (heads.length === limit) break
  }
  return heads
}

/** Rows are read to be removed, since each may be a head, and one may have megabytes. */
const DIG_MAX_BYTES = 1024 * 1024

/**
 * Removes up to `limit` index entries and rows under a buried head, and no more rows than have a megabyte, inside the
 * open write transaction. Heads among them are buried in turn; when nothing is left the grave goes.
 * @returns whether something is left.
 */
export function dig(lmdb: Lmdb, head: number, limit: number): boolean {
  const entries = removeIndexKeys(lmdb, indexStart(head, 0), indexStart(head + 1, 0), limit)
  if (entries === limit) return true
  const left = limit - entries
  const names = [...iterableOf(() => lmdb.names(head, { limit: left }, undefined))]
  let bytes = 0
  const headOnly = (row: Uint8Array, size: number): Head | undefined => {
    bytes += size
    return row[0] === Kind.head ? decodeHead(row, size) : undefined
  }
  for (const name of names) {
    if (bytes >= DIG_MAX_BYTES) return true
    const child = lmdb.readRow(head, name, undefined, headOnly)
    if (child !== undefined) bury(lmdb, child.number)
    lmdb.removeRow(head, name)
  }
  if (names.length === left) return true
  lmdb.unmarkHead(head)
  unbury(lmdb, head)
  return false
}

function putGrave(lmdb: Lmdb, head: number, owner: number): void {
  const value = Buffer.alloc(4)
  value.writeInt32BE(owner)
  lmdb.graves.put(keyOf(head), value)
}

function keyOf(head: number): Buffer {
  const key = Buffer.alloc(HEAD_NUMBER_BYTES)
  writeHeadNumber(head, key, 0)
  return key
}
