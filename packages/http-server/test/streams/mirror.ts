import type { ReceivedEvent } from './event-client.ts'

/** A value without arrays and empty objects, so that two that mean the same are the same. */
type Plain = string | number | boolean | null | { [key: string]: Plain }

/** What a client knows that applies each event as it comes. */
export class Mirror {
  value: Plain = null
  /** Whether the first event, which tells everything, has come. */
  hasBegun = false

  apply({ event, data }: ReceivedEvent): void {
    const json = JSON.parse(data) as unknown
    if (event === 'keep-alive') return
    this.hasBegun = true
    if (event === 'message') {
      this.value = plain(json)
      return
    }
    const { path, data: value } = json as { readonly path: string; readonly data: unknown }
    if (event === 'put') this.#put(path, value)
    else this.#patch(path, Object.entries(value as object))
  }

  /**
   * A patch is one step: a node that loses all its children by it and gets others keeps its priority. `JSON.parse` has
   * put numbers first, whatever the order was in which the members were sent.
   */
  #patch(path: string, members: readonly (readonly [string, unknown])[]): void {
    const set = members.filter(([, child]) => child !== null)
    const deleted = members.filter(([, child]) => child === null)
    for (const [key, child] of [...set, ...deleted]) this.#put(`${path}/${key}`, child)
  }

  #put(path: string, value: unknown): void {
    const keys = path.split('/').filter((key) => key !== '')
    this.value = withValue(this.value, keys, plain(value))
  }
}

function withValue(node: Plain, [key, ...rest]: readonly string[], value: Plain): Plain {
  if (key === undefined) return value
  if (key === '.priority') return withPriority(node, value)
  const children: { [key: string]: Plain } = isBranch(node) ? { ...node } : {}
  const child = withValue(children[key] ?? null, rest, value)
  // Nothing was taken from a leaf.
  if (isLeaf(node) && child === null) return node
  delete children['.value']
  if (child === null) delete children[key]
  else children[key] = child
  return Object.keys(children).every((name) => name === '.priority') ? null : children
}

function withPriority(node: Plain, value: Plain): Plain {
  if (node === null) return null
  const { '.priority': _former, ...children } = isBranch(node) ? node : { '.value': node }
  if (value !== null) return { ...children, '.priority': value }
  return children['.value'] ?? children
}

/** Leaves that have a priority are objects with both. */
function isLeaf(node: Plain): boolean {
  return node !== null && (!isBranch(node) || '.value' in node)
}

function isBranch(value: Plain): value is { [key: string]: Plain } {
  return typeof value === 'object' && value !== null
}

/** Arrays as the objects that they stand for; nothing for what is empty. */
export function plain(value: unknown): Plain {
  if (typeof value !== 'object' || value === null) return value as Plain
  const members = Object.entries(value)
    .map(([key, child]) => [key, plain(child)] as const)
    .filter(([, child]) => child !== null)
  return members.length === 0 ? null : Object.fromEntries(members)
}
