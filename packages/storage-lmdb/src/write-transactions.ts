import type { ChangeLog, LogPosition } from './change-log.ts'
import { readCounters, writeCounters } from './counters.ts'
import type { Counters } from './counters.ts'
import type { CatalogReader, IndexCatalog } from './index-catalog.ts'
import type { Lmdb } from './lmdb.ts'
import type { HeadMap } from './place.ts'
import type { Readers } from './readers.ts'

/** What a write transaction finds when it begins, and leaves changed to the next one. */
export interface TransactionState {
  readonly counters: Counters
  log: LogPosition
  indexes: IndexCatalog
}

/** The write transactions of one thread, which hand counters, log position and indexes on to each other. */
export class WriteTransactions {
  readonly #lmdb: Lmdb
  readonly #log: ChangeLog
  readonly #catalogs: CatalogReader
  readonly #readers: Readers
  /** Heads as of the newest commit that this thread knows. */
  readonly heads: HeadMap = new Map()
  /** What the last one of this thread left, and its number among all threads'. */
  #state: TransactionState | undefined
  #turn = 0

  constructor(lmdb: Lmdb, log: ChangeLog, catalogs: CatalogReader, readers: Readers) {
    this.#lmdb = lmdb
    this.#log = log
    this.#catalogs = catalogs
    this.#readers = readers
  }

  /**
   * Runs `work` in a write transaction with the counters as they are, and stores what it did to them.
   * @param isRemoval Whether it makes room.
   */
  run(work: (state: TransactionState) => void, isRemoval = false): void {
    // A thread that goes on to write does not end its turn, where it would be given up: no commit of its own could use
    // the pages again that it sees. The next reading has to take another one anyway.
    this.#readers.giveUp()
    try {
      this.#lmdb.transact((turn) => {
        const state = this.#stateOf(turn)
        const { nextHead, headsGone } = state.counters
        this.#lmdb.setFreshFrom(nextHead)
        work(state)
        if (state.counters.nextHead !== nextHead || state.counters.headsGone !== headsGone) {
          writeCounters(this.#lmdb, state.counters)
        }
        this.#state = state
        this.#turn = turn
      }, isRemoval)
    } catch (error) {
      this.forget()
      this.heads.clear()
      throw error
    }
  }

  /** Has the next one read what it finds, after `work` has changed more than it was told of. */
  forget(): void {
    this.#state = undefined
  }

  #stateOf(turn: number): TransactionState {
    if (this.#state !== undefined && turn === this.#turn + 1) return this.#state
    const counters = readCounters(this.#lmdb, undefined)
    // Another thread may have taken heads away.
    this.heads.clear()
    const indexes = this.#catalogs.read(undefined)
    return { counters, log: this.#log.position(undefined), indexes }
  }
}
