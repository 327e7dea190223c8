import { TreeError } from '@elkyn/tree'
import type { TransactionState } from './write-transactions.ts'

/** So many bytes are carried by one commit, or the rows of one value, so that nobody waits long for it. */
const CARRIED_MAX_BYTES = 256 * 1024

/** Rows of a staged value that wait for a transaction. */
export interface WaitingRows {
  /** About how many bytes they take in memory. */
  readonly waitingBytes: number
  /** How many they add to the data. */
  addedBytes(): number
  /** Stores them in a transaction, of which nobody knows yet whether it succeeds. */
  store(state: TransactionState): void
  /** To be called when it was committed. */
  stored(): void
}

/**
 * Rows of staged values that the next commit of other writes takes along. They need a commit and a sync like any others,
 * for which nobody waits. One of their own would be in the way of those who do wait for theirs.
 */
export class CarriedRows {
  readonly #waiting = new Set<WaitingRows>()
  /** Those in the transaction that is open. */
  #carried: WaitingRows[] = []

  add(rows: WaitingRows): void {
    this.#waiting.add(rows)
  }

  remove(rows: WaitingRows): void {
    this.#waiting.delete(rows)
  }

  /**
   * Stores those who came first in the transaction of others.
   * @param room Bytes that may be added. What is more waits on.
   */
  store(state: TransactionState, room: number): void {
    this.#carried = this.#next(room)
    try {
      for (const rows of this.#carried) rows.store(state)
    } catch (error) {
      throw new CarryError('Cannot store rows of a staged value', { cause: error })
    }
  }

  /** To be called when it was committed, */
  committed(): void {
    for (const rows of this.#carried.splice(0)) rows.stored()
  }

  /**
   * or when it failed: then nothing of that is carried until there is more of it, or it is stored by itself, so that who
   * stages it is told.
   * @returns whether the transaction may succeed where it carries nothing.
   */
  failed(error: unknown): boolean {
    const carried = this.#carried.splice(0)
    if (carried.length === 0 || !isOfCarried(error)) return false
    for (const rows of carried) this.remove(rows)
    return true
  }

  #next(room: number): WaitingRows[] {
    const next: WaitingRows[] = []
    let bytes = 0
    let left = room
    for (const rows of this.#waiting) {
      bytes += rows.waitingBytes
      if (bytes > CARRIED_MAX_BYTES && next.length > 0) break
      if (room !== Infinity) left -= rows.addedBytes()
      if (left < 0) break
      next.push(rows)
    }
    return next
  }
}

class CarryError extends Error {}

function isOfCarried(error: unknown): boolean {
  if (!(error instanceof TreeError)) return false
  return error.code === 'ERR_STORE_FULL' || error.cause instanceof CarryError
}
