import type { ChangeCursor, PairFrame, PairTarget } from '@elkyn/tree'

/** Passes over changes that are not at a path, above or below it, as far as that is seen without reading them. */
export class Elsewhere {
  readonly #frame: PairFrame

  /** @param frame Of the path; nothing is written of it. */
  constructor(frame: PairFrame) {
    this.#frame = frame
  }

  /**
   * Passes over the change that the cursor is at, and those behind it.
   * @param most Changes that are passed over.
   * @returns how many they are. 0: the one that it is at has to be read.
   */
  pass(changes: ChangeCursor, most: number): number {
    return changes.copyPairs(this.#frame, noRoom, most)
  }
}

/** Where nothing can be written, so that it ends before what would be. */
const noRoom: PairTarget = { bytes: new Uint8Array(), end: 0, limit: 1, count: 0, wanted: 0 }
