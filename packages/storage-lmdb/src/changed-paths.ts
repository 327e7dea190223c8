import { parentPath } from '@elkyn/tree'
import type { Change, Path } from '@elkyn/tree'
import { bearingOn, strongest } from './bearing.ts'
import type { Bearing } from './bearing.ts'

/** Of more than 16,383 UTF-16 units V8 finds texts in a set by their lengths alone: those of that length stay in a list. */
const SET_MAX_LENGTH = 1000

/** Where a list of changes, which may become longer, has changed the tree. Looks at each change once, however often it is asked. */
export class ChangedPaths {
  readonly #changes: readonly Change[]
  /** How many of them are in what follows. */
  #seen = 0
  readonly #paths = new Set<Path>()
  /** All paths above those. */
  readonly #above = new Set<Path>()
  readonly #long: Path[] = []

  constructor(changes: readonly Change[]) {
    this.#changes = changes
  }

  /** How all changes together bear on what is at a path. */
  bearingOn(path: Path): Bearing {
    for (; this.#seen < this.#changes.length; this.#seen++) {
      for (const pair of this.#changes[this.#seen]!.pairs) this.#add(pair.path)
    }
    if (this.#paths.has(path) || this.#above.has(path)) return 'within'
    const long = strongest(this.#long.map((changed) => bearingOn(path, changed)))
    return long === 'none' && this.#hasAbove(path) ? 'above' : long
  }

  #add(path: Path): void {
    if (path.length > SET_MAX_LENGTH) {
      this.#long.push(path)
      return
    }
    this.#paths.add(path)
    let above = parentPath(path)
    for (; above !== undefined && !this.#above.has(above); above = parentPath(above)) {
      this.#above.add(above)
    }
  }

  #hasAbove(path: Path): boolean {
    for (let above = parentPath(path); above !== undefined; above = parentPath(above)) {
      if (above.length <= SET_MAX_LENGTH && this.#paths.has(above)) return true
    }
    return false
  }
}
