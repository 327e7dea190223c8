import { TreeError } from '@elkyn/tree'
import { StorageError } from './errors.ts'
import { buildPart } from './index-building.ts'
import { isUnfinished, withIndex, withoutDropped, writeCatalog } from './index-catalog.ts'
import { IndexRemoval } from './index-removal.ts'
import { storedEntries } from './layer-storage.ts'
import { SharedWord } from './lmdb.ts'
import type { Lmdb } from './lmdb.ts'
import type { TransactionState } from './write-transactions.ts'

/** How long a turn may hold the writer, in milliseconds. */
const TURN_MS = 4
/** Children, or entries of a dropped index, between two looks at the clock. */
const STEPS_A_LOOK = 256

/** After so many milliseconds it is asked again whether there is room, where that could not be told. */
const RETRY_MS = 50

/** What the keeper needs of the store. */
export interface KeeperContext {
  /** Runs `work` in a write transaction. */
  readonly transact: (work: (state: TransactionState) => void) => void
  /** Whether more may be stored. */
  readonly hasRoom: () => boolean
  /** Ends a turn after exactly so many steps. Default: as many as there is time for. */
  readonly stepsATurn: number | undefined
}

/** Builds new indexes and removes dropped ones, a few milliseconds at a time, while the thread has time. */
export class IndexKeeper {
  readonly #transact: KeeperContext['transact']
  readonly #hasRoom: () => boolean
  readonly #lmdb: Lmdb
  /** Steps between two looks at the clock, or those of a whole turn. */
  readonly #steps: number
  readonly #isTimed: boolean
  #turn: NodeJS.Immediate | undefined
  #retryTimer: NodeJS.Timeout | undefined
  #removal: IndexRemoval | undefined
  /** Whether there was no room in the last turn, so that there is something to go on with. */
  #isStopped = false
  /** What ended the work, until somebody has it begun again. */
  #failure: StorageError | undefined
  /** The same, until a writer was told. */
  #untold: StorageError | undefined

  constructor(lmdb: Lmdb, { transact, hasRoom, stepsATurn }: KeeperContext) {
    this.#lmdb = lmdb
    this.#hasRoom = hasRoom
    this.#isTimed = stepsATurn === undefined
    this.#steps = stepsATurn ?? STEPS_A_LOOK
    this.#transact = transact
  }

  /** Goes on in the next turns of the event loop. */
  wake(): void {
    this.#isStopped = false
    this.#failure = undefined
    this.#setFailed(0)
    this.#turn ??= setImmediate(this.#run)
  }

  /** Why indexes are not built any more, where that is so, in this thread or another one. */
  get failure(): StorageError | undefined {
    const isElsewhere = Atomics.load(this.#lmdb.shared, SharedWord.indexesFailed) === 1
    return this.#failure ?? (isElsewhere ? failedElsewhere() : undefined)
  }

  /** @throws {StorageError} once what ended the work, for whoever comes next, since nobody may have asked. */
  check(): void {
    const failure = this.#untold
    if (failure === undefined) return
    this.#untold = undefined
    throw failure
  }

  /** Goes on where that was not possible before, if there is room now. Its own commits come here too. */
  retry(): void {
    if (!this.#isStopped) return
    try {
      if (this.#hasRoom()) this.wake()
    } catch {
      // To look takes a snapshot, of which there may be too many. It is no error of the commit that is done, and there may
      // be no other one.
      this.#retryTimer ??= setTimeout(() => {
        this.#retryTimer = undefined
        this.retry()
      }, RETRY_MS).unref()
    }
  }

  /** Works for one turn. @returns whether something is left that can be done now. */
  work(): boolean {
    let isLeft = false
    this.#transact((state) => {
      const { indexes } = state
      const end = this.#isTimed ? performance.now() + TURN_MS : Infinity
      do isLeft = this.#step(state, end)
      while (isLeft && this.#isTimed && performance.now() < end && !this.#lmdb.isShortOfRoom)
      if (state.indexes !== indexes) writeCatalog(this.#lmdb, state.indexes)
      this.#isStopped = !isLeft && isUnfinished(state.indexes)
    })
    return isLeft
  }

  /** @returns whether something is left for another thread. */
  close(): boolean {
    const isLeft = this.#turn !== undefined || this.#isStopped
    if (this.#turn !== undefined) clearImmediate(this.#turn)
    this.#turn = undefined
    clearTimeout(this.#retryTimer)
    this.#isStopped = false
    return isLeft
  }

  readonly #run = (): void => {
    this.#turn = undefined
    try {
      if (this.work()) this.wake()
    } catch (error) {
      this.#removal = undefined
      // What was done stays done. Where there was no room, the next commit comes back to the rest.
      if (error instanceof TreeError && error.code === 'ERR_STORE_FULL') this.#isStopped = true
      else this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    const words = error instanceof Error ? error.message : String(error)
    const message = `Cannot build the indexes: ${words}`
    this.#failure = new StorageError('ERR_INDEX_FAILED', message, { cause: error })
    this.#untold = this.#failure
    this.#setFailed(1)
    this.#lmdb.tellThreads()
  }

  #setFailed(failed: 0 | 1): void {
    Atomics.store(this.#lmdb.shared, SharedWord.indexesFailed, failed)
  }

  /** Does a part of what there is to do. @returns whether something is left that can be done now. */
  #step(state: TransactionState, end: number): boolean {
    const [dropped] = state.indexes.dropped
    // First what makes room.
    if (dropped !== undefined) this.#remove(state, dropped)
    else {
      const building = state.indexes.indexes.find((index) => index.state === 'building')
      if (building === undefined || !this.#hasRoom()) return false
      const built = buildPart(this.#lmdb, storedEntries(this.#lmdb), building, this.#steps, end)
      state.indexes = withIndex(state.indexes, built)
    }
    return isUnfinished(state.indexes)
  }

  #remove(state: TransactionState, dropped: number): void {
    if (this.#removal?.index !== dropped) this.#removal = new IndexRemoval(dropped)
    if (this.#removal.step(this.#lmdb, this.#steps)) return
    this.#removal = undefined
    state.indexes = withoutDropped(state.indexes, dropped)
  }
}

function failedElsewhere(): StorageError {
  const message = 'Cannot use the index: another thread could not build it, and was told why'
  return new StorageError('ERR_INDEX_FAILED', message)
}
