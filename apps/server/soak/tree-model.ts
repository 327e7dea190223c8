/** A value as the model of a tree holds it. An object is never empty; no key looks like a number. */
export type Json = null | boolean | number | string | { readonly [key: string]: Json }

/** A place: the keys down to it. */
export type Place = readonly string[]

/** What a tree is after a value was written to a place. The tree itself stays as it is. */
export function withValue(tree: Json, [key, ...rest]: Place, value: Json): Json {
  if (key === undefined) return value
  if (!isBranch(tree)) {
    // To delete below a leaf, or below nothing, changes nothing.
    return value === null ? tree : { [key]: withValue(null, rest, value) }
  }
  const { [key]: child = null, ...others } = tree
  const changed = withValue(child, rest, value)
  if (changed !== null) return { ...others, [key]: changed }
  return Object.keys(others).length === 0 ? null : others
}

export function valueAt(tree: Json, [key, ...rest]: Place): Json {
  if (key === undefined) return tree
  return isBranch(tree) ? valueAt(tree[key] ?? null, rest) : null
}

/** The text that a server has to answer, with children in the order of their keys. */
export function textOf(tree: Json): string {
  if (!isBranch(tree)) return JSON.stringify(tree)
  const members = Object.keys(tree)
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${textOf(tree[key] ?? null)}`)
  return `{${members.join(',')}}`
}

/** The URL of a place. */
export function urlPath(place: Place): string {
  return `/${place.map(encodeURIComponent).join('/')}.json`
}

function isBranch(tree: Json): tree is { readonly [key: string]: Json } {
  return typeof tree === 'object' && tree !== null
}
