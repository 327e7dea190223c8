import { TreeError } from '@elkyn/tree'
import { buriedHeads, buryUnlinked, dig } from './graves.ts'
import type { Lmdb } from './lmdb.ts'

/** How long a turn may hold the writer, in milliseconds. */
const TURN_MS = 4
/** Rows between two looks at the clock, if they are small; and where there was no room for those. */
const ROWS_A_LOOK = 256
const FEW_ROWS = 8
const HEADS_A_TURN = 64

/** Removes the rows of buried heads, a few milliseconds at a time, while the thread has time. */
export class Reclaimer {
  readonly #transact: (work: () => void) => void
  readonly #lmdb: Lmdb
  #turn: NodeJS.Immediate | undefined
  #rowsALook = ROWS_A_LOOK
  /** Heads that were staged in vain and are to be buried. */
  #dead: number[] = []
  /** Whether there was no room for the last turn, so that there is something to go on with. */
  #isStopped = false
  #isClosed = false
  /** Whether the last turn failed for another reason, */
  #hasFailed = false
  /** and for which, until a writer was told. */
  #untold: unknown

  constructor(lmdb: Lmdb, transact: (work: () => void) => void) {
    this.#lmdb = lmdb
    this.#transact = transact
  }

  /** Looks for buried heads in the next turns of the event loop. */
  wake(): void {
    this.#isStopped = false
    if (!this.#isClosed) this.#turn ??= setImmediate(this.#run)
  }

  /** Goes on where there was no room before, now that something was committed. */
  retry(): void {
    if (this.#isStopped) this.wake()
  }

  /** Buries heads that were staged, but for those that found their place, and removes their rows. */
  bury(heads: readonly number[]): void {
    if (heads.length === 0) return
    this.#dead = this.#dead.concat(heads)
    this.wake()
  }

  /** @throws once what the last turn failed for, for whoever comes next, since nobody asks for it. */
  check(): void {
    const error = this.#untold
    this.#untold = undefined
    if (error !== undefined) throw error
  }

  /** What is buried others remove, or whoever opens the folder next. */
  close(): void {
    this.#isClosed = true
    if (this.#turn !== undefined) clearImmediate(this.#turn)
    this.#turn = undefined
    if (this.#dead.length === 0) return
    try {
      this.#transact(() => {
        this.#buryDead()
      })
    } catch {
      // It counts as buried once nobody of this process has the folder open any more.
    }
  }

  readonly #run = (): void => {
    this.#turn = undefined
    try {
      if (this.#reclaim()) this.wake()
      this.#hasFailed = false
      this.#rowsALook = ROWS_A_LOOK
    } catch (error) {
      // The graves stay. Where there was no room the next commit comes back to them, otherwise the next one that adds one.
      if (error instanceof TreeError && error.code === 'ERR_STORE_FULL') this.#stop()
      else this.#fail(error)
    }
  }

  #stop(): void {
    if (this.#rowsALook > FEW_ROWS) {
      this.#rowsALook = FEW_ROWS
      this.wake()
    } else this.#isStopped = true
  }

  #fail(error: unknown): void {
    // What goes on failing is no news: who writes would hear of nothing else.
    if (!this.#hasFailed) this.#untold = error
    this.#hasFailed = true
  }

  /** Removes rows for one turn. @returns whether some may be left. */
  #reclaim(): boolean {
    let isLeft = false
    this.#transact(() => {
      this.#buryDead()
      isLeft = this.#dig()
    })
    this.#dead = []
    return isLeft
  }

  #buryDead(): void {
    for (const head of this.#dead) buryUnlinked(this.#lmdb, head)
  }

  #isOver(end: number): boolean {
    return this.#lmdb.isShortOfRoom || performance.now() > end
  }

  #dig(): boolean {
    const end = performance.now() + TURN_MS
    const heads = buriedHeads(this.#lmdb, HEADS_A_TURN)
    for (const head of heads) {
      while (dig(this.#lmdb, head, this.#rowsALook)) {
        if (this.#isOver(end)) return true
      }
      if (this.#isOver(end)) return true
    }
    return heads.length === HEADS_A_TURN || buriedHeads(this.#lmdb, 1).length > 0
  }
}
