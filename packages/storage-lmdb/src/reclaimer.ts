import { buriedHeads, dig } from './graves.ts'
import type { Lmdb } from './lmdb.ts'

/** How long a turn may hold the writer, in milliseconds. */
const TURN_MS = 4
/** Rows between two looks at the clock. */
const ROWS_A_LOOK = 256
const HEADS_A_TURN = 64

/** Removes the rows of buried heads, a few milliseconds at a time, while the thread has time. */
export class Reclaimer {
  readonly #transact: (work: () => void) => void
  readonly #lmdb: Lmdb
  #turn: NodeJS.Immediate | undefined

  constructor(lmdb: Lmdb, transact: (work: () => void) => void) {
    this.#lmdb = lmdb
    this.#transact = transact
  }

  /** Looks for buried heads in the next turns of the event loop. */
  wake(): void {
    this.#turn ??= setImmediate(this.#run)
  }

  /** Removes rows for one turn. @returns whether some may be left. */
  reclaim(): boolean {
    let isLeft = false
    this.#transact(() => {
      isLeft = this.#dig()
    })
    return isLeft
  }

  close(): void {
    if (this.#turn !== undefined) clearImmediate(this.#turn)
    this.#turn = undefined
  }

  readonly #run = (): void => {
    this.#turn = undefined
    try {
      if (this.reclaim()) this.wake()
    } catch {
      // The disk is full or fails. The graves stay, and the next commit that adds one comes back to them.
    }
  }

  #dig(): boolean {
    const end = performance.now() + TURN_MS
    const heads = buriedHeads(this.#lmdb, HEADS_A_TURN)
    for (const head of heads) {
      while (dig(this.#lmdb, head, ROWS_A_LOOK) === ROWS_A_LOOK) {
        if (performance.now() > end) return true
      }
      if (performance.now() > end) return true
    }
    return heads.length === HEADS_A_TURN || buriedHeads(this.#lmdb, 1).length > 0
  }
}
