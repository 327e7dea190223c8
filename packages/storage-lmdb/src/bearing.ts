import { isAncestor } from '@elkyn/tree'
import type { Path } from '@elkyn/tree'

/**
 * How a change bears on what is at a path. One at the path or below it made it another value; one
 * above it may have put back what was there.
 */
export type Bearing = 'none' | 'above' | 'within'

/** What changes that came one after another come to together, the first of them given first. */
export function strongest(bearings: Iterable<Bearing>): Bearing {
  let result: Bearing = 'none'
  for (const bearing of bearings) {
    if (bearing === 'within') return bearing
    if (bearing === 'above') result = bearing
  }
  return result
}

/** How a change of what is at `changed` bears on `path`. */
export function bearingOn(path: Path, changed: Path): Bearing {
  if (changed === path || isAncestor(path, changed)) return 'within'
  return isAncestor(changed, path) ? 'above' : 'none'
}
