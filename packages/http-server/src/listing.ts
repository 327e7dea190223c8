import type { Path, TreeSnapshot } from '@elkyn/tree'
import type { Listing } from './parameters.ts'
import { blockLength } from './response.ts'

/**
 * The names of the children at a path, each with `true`, as JSON in blocks; a leaf as itself;
 * `undefined` where nothing is. Always an object, also where a value would be an array.
 */
export function listingBlocks(
  snapshot: TreeSnapshot,
  path: Path,
  listing: Listing,
): Iterable<Uint8Array> | undefined {
  const kind = snapshot.kind(path)
  if (kind !== 'branch') return snapshot.jsonBlocks(path)
  return nameBlocks(snapshot.keys(path, listing))
}

function* nameBlocks(names: Iterable<string>): Generator<Uint8Array> {
  let text = '{'
  let separator = ''
  for (const name of names) {
    text += `${separator}${JSON.stringify(name)}:true`
    separator = ','
    if (text.length < blockLength) continue
    yield Buffer.from(text)
    text = ''
  }
  yield Buffer.from(`${text}}`)
}
