import type { KeyRange } from '@elkyn/tree'
import { readCounters } from './counters.ts'
import type { Entry } from './entry.ts'
import { storeError } from './failures.ts'
import { iterableOf } from './iterable.ts'
import type { EntrySource } from './layer.ts'
import { decodePassed } from './leaf-row.ts'
import type { Passed } from './leaf-row.ts'
import { SharedWord } from './lmdb.ts'
import type { Lmdb } from './lmdb.ts'
import type { ReadOptions, ReadTxn } from './lmdb-types.ts'
import { OpenCursors } from './open-cursors.ts'
import type { HeadMap } from './place.ts'

/** A read transaction with what is known of its snapshot. */
export class Reader implements EntrySource {
  readonly #lmdb: Lmdb
  readonly txn: ReadTxn
  readonly cursors: OpenCursors = new OpenCursors()
  readonly options: ReadOptions
  /** Heads met in this snapshot. */
  heads: HeadMap
  headsGone: number
  /** The commit counter as loaded before the snapshot was taken; `undefined` when it was given up. */
  commits: number | undefined
  /** Open snapshots that read with it. */
  users = 0
  /** Whether the store was closed over it. */
  isClosed = false

  constructor(lmdb: Lmdb, txn: ReadTxn, older: Reader | undefined) {
    this.#lmdb = lmdb
    this.txn = txn
    this.options = { transaction: txn, cursors: this.cursors }
    this.headsGone = readCounters(lmdb, this.options).headsGone
    this.heads = new Map()
    if (older === undefined || older.headsGone !== this.headsGone) return
    // What was a head then is one still; the older snapshot must not see what is found from now on.
    this.heads = older.heads
    older.heads = new Map()
  }

  /** Takes the snapshot of the newest commit. */
  renew(): void {
    if (this.commits !== undefined) this.#lmdb.resetRead(this.txn)
    // Until it is known which commit it sees: taking a snapshot may fail.
    this.commits = undefined
    this.txn.renew()
    const { headsGone } = readCounters(this.#lmdb, this.options)
    if (headsGone !== this.headsGone) this.heads.clear()
    this.headsGone = headsGone
  }

  entry(head: number, name: string): Entry | undefined {
    return this.#lmdb.entry(head, name, this.options)
  }

  passed(head: number, name: string): Passed {
    return this.#lmdb.readRow(head, name, this.options, decodePassed)
  }

  names(head: number, range: KeyRange = {}): Iterable<string> {
    return iterableOf(() => this.#lmdb.names(head, range, this.options))
  }
}

/**
 * The read transactions of one thread. One lives as long as the store and is renewed when something
 * was committed; others exist only while older snapshots are open. No snapshot is kept while nobody
 * uses it, since LMDB can't reuse the pages that it sees.
 */
export class Readers {
  readonly #lmdb: Lmdb
  #current: Reader | undefined
  /** The current one and older ones that are still in use. */
  readonly #all = new Set<Reader>()
  #idle: NodeJS.Immediate | undefined

  constructor(lmdb: Lmdb) {
    this.#lmdb = lmdb
  }

  /** A reader of the newest commit, to be given back with {@link release}. */
  acquire(): Reader {
    // Loaded first: a commit in between makes the next call renew once too often, never too seldom.
    const commits = Atomics.load(this.#lmdb.shared, SharedWord.commits)
    let reader = this.#current
    if (reader === undefined || reader.commits !== commits) {
      reader = this.#renewed(reader)
      reader.commits = commits
      this.#current = reader
    }
    reader.users++
    return reader
  }

  release(reader: Reader): void {
    if (--reader.users > 0 || reader.isClosed) return
    reader.cursors.closeAll()
    if (reader === this.#current) this.#idle ??= setImmediate(this.#endTurn)
    else this.#end(reader)
  }

  /** Gives the snapshot of the newest commit up, if nobody reads with it. The next reading takes one. */
  giveUp(): void {
    const reader = this.#current
    // One that is in use again comes back here when it is released.
    if (reader === undefined || reader.users > 0 || reader.commits === undefined) return
    this.#lmdb.resetRead(reader.txn)
    reader.commits = undefined
  }

  close(): void {
    if (this.#idle !== undefined) clearImmediate(this.#idle)
    this.#current = undefined
    for (const reader of this.#all) this.#end(reader)
  }

  #end(reader: Reader): void {
    reader.isClosed = true
    reader.cursors.closeAll()
    this.#all.delete(reader)
    reader.txn.done()
  }

  /** @throws {TreeError} `ERR_TOO_MANY_SNAPSHOTS`; `ERR_STORE_FAILED` when the environment has failed. */
  #renewed(reader: Reader | undefined): Reader {
    try {
      if (reader?.users !== 0) return this.#begin(reader)
      reader.renew()
      return reader
    } catch (error) {
      throw storeError(error, 'Cannot read')
    }
  }

  #begin(older: Reader | undefined): Reader {
    const txn = this.#lmdb.beginRead()
    // A commit that wrote nothing: lmdb hands out the transaction that is there. One that two readers
    // had would be renewed by the one under the snapshots of the other.
    if (txn === older?.txn) {
      txn.done()
      return older
    }
    const reader = new Reader(this.#lmdb, txn, older)
    this.#all.add(reader)
    return reader
  }

  /**
   * Runs at the end of the turn. The immediate is not unref'd: then it would wait for the next event,
   * with the snapshot held.
   */
  readonly #endTurn = (): void => {
    this.#idle = undefined
    this.giveUp()
  }
}
