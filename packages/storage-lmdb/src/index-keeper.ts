import { buildPart } from './index-building.ts'
import { isUnfinished, withIndex, withoutDropped, writeCatalog } from './index-catalog.ts'
import { IndexRemoval } from './index-removal.ts'
import { storedEntries } from './layer-storage.ts'
import type { Lmdb } from './lmdb.ts'
import type { TransactionState } from './write-transactions.ts'

/** How long a turn may hold the writer, in milliseconds. */
const TURN_MS = 4
/** Children, or entries of a dropped index, between two looks at the clock. */
const STEPS_A_LOOK = 256

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
  #removal: IndexRemoval | undefined
  /** Whether the last turn failed, so that there is something to go on with. */
  #isStopped = false
  #waiting: (() => void)[] = []

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
    this.#turn ??= setImmediate(this.#run)
  }

  /** Goes on where that was not possible before, now that something was committed. */
  retry(): void {
    if (this.#isStopped) this.wake()
  }

  /** Resolves when nothing is left to do, or the keeper was closed. */
  async finished(): Promise<void> {
    if (this.#turn === undefined && !this.#isStopped) return
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  /** Works for one turn. @returns whether something is left that can be done now. */
  work(): boolean {
    let isLeft = false
    this.#transact((state) => {
      const { indexes } = state
      const end = this.#isTimed ? performance.now() + TURN_MS : Infinity
      do isLeft = this.#step(state, end)
      while (isLeft && this.#isTimed && performance.now() < end)
      if (state.indexes !== indexes) writeCatalog(this.#lmdb, state.indexes)
      this.#isStopped = !isLeft && isUnfinished(state.indexes)
    })
    return isLeft
  }

  close(): void {
    if (this.#turn !== undefined) clearImmediate(this.#turn)
    this.#turn = undefined
    this.#tellFinished()
  }

  readonly #run = (): void => {
    this.#turn = undefined
    try {
      if (this.work()) this.wake()
      else if (!this.#isStopped) this.#tellFinished()
    } catch {
      // The disk is full or fails. What was done stays done, and the next commit comes back to the rest.
      this.#isStopped = true
      this.#removal = undefined
    }
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

  #tellFinished(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
