import type { ChangeCursor, PairFrame, PairTarget, Path } from '@elkyn/tree'
import { pairFrame } from './framed-events.ts'

/** Passes over changes that are not at a path, above or below it, as far as that is seen without reading them. */
export class Elsewhere {
  readonly #frame: PairFrame

  constructor(path: Path) {
    this.#frame = pairFrame(path)
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
