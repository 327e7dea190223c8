import {
  Branch,
  TreeValue,
  childOf,
  childPath,
  nodeAt,
  parentPath,
  pathKeys,
  replaceLocated,
  rootPath,
  withChild,
  withPriority,
} from '@elkyn/tree'
import type { Path, Priority, TreeNode } from '@elkyn/tree'
import { Head, HEAD_NUMBER_BYTES } from './entry.ts'
import type { Entry } from './entry.ts'
import type { StoredIndex } from './index-catalog.ts'
import { notRead } from './index-changes.ts'
import type { IndexPlaces } from './index-places.ts'
import { isOddInteger } from './key-encoding.ts'
import type { Layer } from './layer.ts'
import { isLeaf, leafWithPriority, longLeaf, priorityOfRow, storedPriority } from './leaf-row.ts'
import { entryPath, findPlace, TOP_HEAD } from './place.ts'
import type { HeadMap, Place } from './place.ts'

/** What a write needs from the transaction around it. */
export interface WriteContext {
  /** Key and value of a longer row make it a head; a leaf stays a row however long it is. */
  readonly rowMaxBytes: number
  /** Heads as of this layer; emptied when one goes away. */
  readonly heads: HeadMap
  /** The indexes that what is written has to be followed by. */
  readonly places: IndexPlaces<StoredIndex>
  /** A number that no head ever had. */
  allocateHead(): number
}

/** Changes the tree by changing entries of a layer. Each method tells whether anything changed. */
export class RowWriter {
  readonly #layer: Layer
  readonly #context: WriteContext
  /** The entry that was changed last, as it was before. */
  #written: { head: number; name: string; entry: Entry | undefined } = nothingWritten

  constructor(layer: Layer, context: WriteContext) {
    this.#layer = layer
    this.#context = context
  }

  /** Replaces the node at `path`; the null value deletes it. */
  set(path: Path, value: TreeValue): boolean {
    const changed = this.#set(path, value)
    if (changed) this.#follow(path)
    return changed
  }

  #set(path: Path, value: TreeValue): boolean {
    const place = this.#find(path)
    if (place.entry === longLeaf && value.isNull) return false
    const current = this.#current(place)
    this.#written = { head: place.head, name: place.name, entry: current }
    if (place.rest === '') return this.#replace(path, place, current, value)
    const at = entryPath(path, place)
    if (current === undefined) {
      if (value.text === 'null') return false
      // The row begins at the first name that is missing, so that a record built leaf by leaf is one row.
      return this.#replace(at, place, undefined, wrap(place.rest, value))
    }
    if (current instanceof Head) throw new Error('A walk never ends above a head')
    const changed = this.#edit(current, place.rest.split('/'), value)
    return changed !== undefined && this.#replace(at, place, current, changed)
  }

  /** Sets the priority of the node at `path`, where there is one. */
  setPriority(path: Path, priority: Priority): boolean {
    const changed = this.#setPriority(path, priority)
    if (changed) this.#follow(path)
    return changed
  }

  #setPriority(path: Path, priority: Priority): boolean {
    const place = this.#find(path)
    if (place.entry === longLeaf) return false
    const current = this.#current(place)
    this.#written = { head: place.head, name: place.name, entry: current }
    if (current === undefined) return false
    if (current instanceof Head) {
      if (current.priority === priority) return false
      this.#put(place.head, place.name, new Head(current.number, priority))
      return true
    }
    if (isLeaf(current)) {
      if (place.rest !== '' || priorityOfRow(current) === priority) return false
      return this.#replace(path, place, current, leafWithPriority(current, priority))
    }
    const keys = place.rest === '' ? [] : place.rest.split('/')
    const node = nodeAt(current.node, keys)
    const ranked = withPriority(node, priority)
    if (ranked === node) return false
    const changed = TreeValue.fromNode(withChild(current.node, keys, ranked))
    return this.#replace(entryPath(path, place), place, current, changed)
  }

  /**
   * Puts a staged head in the place of the node at `path`.
   *
   * @param isIndexed Whether the rows below it have their entries of an index already.
   */
  link(path: Path, staged: Head, isIndexed: (index: StoredIndex) => boolean): boolean {
    const place = this.#find(path)
    const current = this.#current(place)
    if (current instanceof Head) this.#bury(current)
    const keys = place.rest === '' ? [] : place.rest.split('/')
    const node = current instanceof TreeValue ? current.node : null
    this.#linkBelow(entryPath(path, place), place.head, place.name, node, keys, staged)
    this.#layer.linked.push(staged.number)
    this.#layer.grown = true
    this.#written = nothingWritten
    if (!this.#context.places.isEmpty) {
      this.#indexBelow(staged, pathKeys(path), (index) => !isIndexed(index))
      this.#follow(path)
    }
    return true
  }

  /**
   * Replaces the child of a head that is no part of the tree yet; `null` takes it away.
   *
   * @param path Where the child will be, as far as that is known.
   */
  replaceUnder(head: number, name: string, entry: Entry | null, path: Path | undefined): void {
    const current = this.#layer.entry(head, name)
    if (current instanceof Head && !(entry instanceof Head && entry.number === current.number)) {
      this.#bury(current)
    }
    if (entry instanceof TreeValue) this.#place(path, head, name, entry)
    else if (entry === null) this.#layer.set(head, name, null)
    else this.#put(head, name, entry)
  }

  /** Makes heads of the nodes on the way down to where the staged one belongs. */
  #linkBelow(
    path: Path,
    head: number,
    name: string,
    node: TreeNode | null,
    keys: readonly string[],
    staged: Head,
  ): void {
    const [key, ...rest] = keys
    if (key === undefined) {
      this.#put(head, name, staged)
      return
    }
    const number = this.#context.allocateHead()
    if (node instanceof Branch) {
      for (const [other, child] of node.children) {
        if (other !== key) {
          this.#place(childPath(path, other), number, other, TreeValue.fromNode(child))
        }
      }
    }
    this.#linkBelow(childPath(path, key), number, key, childOf(node, key), rest, staged)
    this.#put(head, name, new Head(number, storedPriority(node)))
    this.#followNew(path, number)
  }

  /** The row with `value` at the end of `keys`; `undefined` where that changes nothing. */
  #edit(row: TreeValue, keys: readonly string[], value: TreeValue): TreeValue | undefined {
    if (isLeaf(row)) {
      if (value.isNull) return undefined
      // To parse what goes takes as long as it is long.
      const node = withChild(null, keys, value.node)
      return TreeValue.fromNode(withPriority(node, priorityOfRow(row)))
    }
    if (row.form === 'plain' && value.form === 'plain' && !value.isNull) {
      const text = replaceLocated(row.text, keys, value.text)
      if (text === row.text) return undefined
      if (text !== undefined) return TreeValue.fromCanonical(text, 'plain')
    }
    const node = withChild(row.node, keys, value.node)
    return node === row.node ? undefined : TreeValue.fromNode(node)
  }

  /** Replaces what the entry at a place holds. `path` is the entry's own. */
  #replace(path: Path, place: Place, current: Entry | undefined, value: TreeValue): boolean {
    if (value.text === 'null') {
      if (current === undefined) return false
      if (current instanceof Head) this.#bury(current)
      this.#layer.set(place.head, place.name, null)
      this.#collapse(path, place.head)
      return true
    }
    if (current instanceof Head) {
      if (this.#equals(current, value.node)) return false
      this.#bury(current)
    } else if (current !== undefined && sameText(current, value)) return false
    this.#place(path, place.head, place.name, value)
    return true
  }

  /** Stores a value as a row, or as a head with its children under it when it is too long for one. */
  #place(path: Path | undefined, head: number, name: string, value: TreeValue): void {
    const node = this.#fits(name, value) || isLeaf(value) ? null : value.node
    if (!(node instanceof Branch)) {
      this.#put(head, name, value)
      return
    }
    const number = this.#context.allocateHead()
    // Nobody asks for the paths where there are no indexes.
    const at = this.#context.places.isEmpty ? undefined : path
    for (const [key, child] of node.children) {
      const below = at === undefined ? undefined : childPath(at, key)
      this.#place(below, number, key, TreeValue.fromNode(child))
    }
    this.#put(head, name, new Head(number, storedPriority(node)))
    this.#layer.grown = true
    if (at !== undefined) this.#followNew(at, number)
  }

  /** Has indexes of the places above a path look at what was written there. */
  #follow(path: Path): void {
    const { places } = this.#context
    if (places.isEmpty) return
    const above = places.above(path)
    if (above.length === 0) return
    for (const { path: place, indexes } of above) {
      const head = this.#headAt(place)
      if (head === undefined) continue
      const start = place === rootPath ? 1 : place.length + 1
      const end = path.indexOf('/', start)
      const child = end === -1 ? path.slice(start) : path.slice(start, end)
      const below = end === -1 ? [] : path.slice(end + 1).split('/')
      const isOwn = this.#written.head === head && this.#written.name === child
      const before = isOwn ? this.#written.entry : notRead
      this.#layer.indexing.touch(head, indexes, child, below, before)
    }
  }

  /** Has the indexes of a place take in all children of a head that came there. */
  #followNew(path: Path, head: number): void {
    const indexes = this.#context.places.at(pathKeys(path))
    if (indexes.length > 0) this.#layer.indexing.addFresh(head, indexes)
  }

  /** The same for a head and all below it, as far as somebody wants it. */
  #indexBelow(
    head: Head,
    keys: readonly string[],
    isWanted: (index: StoredIndex) => boolean,
  ): void {
    const { places } = this.#context
    const indexes = places.at(keys).filter(isWanted)
    if (indexes.length > 0) this.#layer.indexing.addFresh(head.number, indexes)
    if (!places.hasBelow(keys, isWanted)) return
    const next = places.next(keys)
    for (const name of next === 'any' ? this.#layer.names(head.number) : next) {
      const entry = this.#layer.entry(head.number, name)
      if (entry instanceof Head) this.#indexBelow(entry, [...keys, name], isWanted)
    }
  }

  /** The number of the head that a node is; `undefined` for any other. */
  #headAt(path: Path): number | undefined {
    const known = this.#context.heads.get(path === rootPath ? '' : path)
    if (known !== undefined) return known
    const place = this.#find(path)
    if (place.rest !== '') return undefined
    const entry = this.#current(place)
    return entry instanceof Head ? entry.number : undefined
  }

  #fits(name: string, value: TreeValue): boolean {
    const room = this.#context.rowMaxBytes - HEAD_NUMBER_BYTES - Buffer.byteLength(name) - 1
    const { length } = value.text
    if (length > room) return false
    return length * 3 <= room || Buffer.byteLength(value.text) <= room
  }

  #put(head: number, name: string, entry: Entry): void {
    this.#layer.set(head, name, entry)
    if (isOddInteger(name)) this.#layer.odd.add(head)
    // The root is no child of a node that somebody could ask for in order.
    if (head !== TOP_HEAD && hasRank(entry)) this.#layer.ranked.add(head)
  }

  /** Takes heads away that have nothing left under them, upward from the entry at `path`. */
  #collapse(path: Path, head: number): void {
    const parent = parentPath(path)
    if (parent === undefined || this.#layer.hasNames(head)) return
    const place = this.#find(parent)
    this.#layer.set(place.head, place.name, null)
    // Its mark is all that may be left under it.
    this.#bury(new Head(head, null))
    this.#collapse(parent, place.head)
  }

  #bury(head: Head): void {
    this.#layer.buried.push(head.number)
    this.#layer.gone++
    this.#context.heads.clear()
  }

  /**
   * Whether what lies under a head is what a node says. Reads no more than the node holds, whatever
   * the head does.
   */
  #equals(head: Head, node: TreeNode | null): boolean {
    if (!(node instanceof Branch) || node.priority !== head.priority) return false
    let names = 0
    for (const name of this.#layer.names(head.number)) {
      const child = node.children.get(name)
      const entry = child === undefined ? undefined : this.#layer.entry(head.number, name)
      if (child === undefined || !this.#entryEquals(entry, child)) return false
      names++
    }
    return names === node.children.size
  }

  #entryEquals(entry: Entry | undefined, node: TreeNode): boolean {
    if (entry instanceof Head) return this.#equals(entry, node)
    return entry !== undefined && sameText(entry, TreeValue.fromNode(node))
  }

  #find(path: Path): Place {
    return findPlace(path, this.#context.heads, this.#layer)
  }

  #current(place: Place): Entry | undefined {
    return place.entry === undefined || place.entry === longLeaf
      ? this.#layer.entry(place.head, place.name)
      : (place.entry ?? undefined)
  }
}

/** Whether the node of an entry has a priority of its own. */
function hasRank(entry: Entry): boolean {
  if (entry instanceof Head) return entry.priority !== null
  return priorityOfRow(entry) !== null
}

const nothingWritten = { head: -1, name: '', entry: undefined }

function wrap(rest: string, value: TreeValue): TreeValue {
  return TreeValue.fromNode(withChild(null, rest.split('/'), value.node))
}

function sameText(a: TreeValue, b: TreeValue): boolean {
  return a.text === b.text && a.form === b.form
}
