import { parentPath } from '@elkyn/tree'
import type { Path } from '@elkyn/tree'
import { bearingOn, strongest } from './bearing.ts'
import type { Bearing } from './bearing.ts'

/** Of more than 16,383 UTF-16 units V8 finds texts in a map by their lengths alone: those of that length stay in a list. */
const MAP_MAX_LENGTH = 1000

/** Which places were changed, and when: by numbers of changes. */
export class ChangedPaths {
  /** The last change of each place itself, */
  readonly #at = new Map<Path, number>()
  /** and of all that is below it. */
  readonly #below = new Map<Path, number>()
  readonly #long: (readonly [sequence: number, path: Path])[] = []

  /** About how many there are. */
  get size(): number {
    return this.#at.size + this.#long.length
  }

  add(sequence: number, path: Path): void {
    if (path.length > MAP_MAX_LENGTH) {
      this.#long.push([sequence, path])
      return
    }
    if (isSince(this.#at.get(path), sequence)) return
    this.#at.set(path, sequence)
    let above = parentPath(path)
    for (; above !== undefined; above = parentPath(above)) {
      if (isSince(this.#below.get(above), sequence)) return
      this.#below.set(above, sequence)
    }
  }

  /** How all changes from a number on bear on what is at a path, together. */
  bearingSince(sequence: number, path: Path): Bearing {
    if (isSince(this.#at.get(path), sequence) || isSince(this.#below.get(path), sequence)) {
      return 'within'
    }
    const long = this.#long.filter(([number]) => number >= sequence)
    const bearing = strongest(long.map(([, changed]) => bearingOn(path, changed)))
    return bearing === 'none' && this.#isBelowChange(sequence, path) ? 'above' : bearing
  }

  #isBelowChange(sequence: number, path: Path): boolean {
    for (let above = parentPath(path); above !== undefined; above = parentPath(above)) {
      if (above.length <= MAP_MAX_LENGTH && isSince(this.#at.get(above), sequence)) return true
    }
    return false
  }
}

function isSince(last: number | undefined, sequence: number): boolean {
  return last !== undefined && last >= sequence
}
