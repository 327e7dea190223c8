import { pathKeys, rootPath } from '@elkyn/tree'
import type { Path } from '@elkyn/tree'
import type { Bearing } from './bearing.ts'

/** Comes before the number of any change. */
const NEVER = -1

interface Place {
  /** Number of the last change of the place itself, */
  at: number
  /** and of that or of anything below it. */
  within: number
  below: Map<string, Place> | undefined
}

/**
 * When paths that somebody asks about were changed. These are few and known before, the changes many: what is kept, and
 * how long a change takes, grows with the former alone.
 */
export class ChangedPaths {
  /** Holds these paths and those above them. By keys: V8 finds texts of more than 16,383 UTF-16 units in a map by their lengths alone. */
  readonly #root: Place = newPlace()

  /** @param asked What {@link bearingSince} will be asked about. */
  constructor(asked: Iterable<Path>) {
    for (const path of asked) {
      let place = this.#root
      for (const key of pathKeys(path)) place = placeBelow(place, key)
    }
  }

  /** Takes in the change with a number, of what is at a path. In any order. */
  add(sequence: number, path: Path): void {
    let place = this.#root
    place.within = Math.max(place.within, sequence)
    for (let start = path === rootPath ? 2 : 1; start <= path.length;) {
      const slash = path.indexOf('/', start)
      const end = slash === -1 ? path.length : slash
      // Most changes are elsewhere, which their first keys say already.
      const next = place.below?.get(path.slice(start, end))
      if (next === undefined) return
      place = next
      place.within = Math.max(place.within, sequence)
      start = end + 1
    }
    place.at = Math.max(place.at, sequence)
  }

  /** How all changes from a number on bear on what is at a path, together. */
  bearingSince(sequence: number, path: Path): Bearing {
    let place = this.#root
    let above = NEVER
    for (const key of pathKeys(path)) {
      above = Math.max(above, place.at)
      place = place.below!.get(key)!
    }
    if (place.within >= sequence) return 'within'
    return above >= sequence ? 'above' : 'none'
  }
}

function newPlace(): Place {
  return { at: NEVER, within: NEVER, below: undefined }
}

function placeBelow(place: Place, key: string): Place {
  place.below ??= new Map()
  let below = place.below.get(key)
  if (below === undefined) {
    below = newPlace()
    place.below.set(key, below)
  }
  return below
}
