import {
  Branch,
  TreeError,
  TreeValue,
  branchOf,
  checkKeyRange,
  isPriorityPath,
  keysInRange,
  locate,
  nodeAt,
  splitPriorityPath,
} from '@elkyn/tree'
import type { KeyRange, NodeKind, Path, TreeNode, TreeView } from '@elkyn/tree'
import { Head } from './entry.ts'
import type { Entry } from './entry.ts'
import type { EntrySource } from './layer.ts'
import { isLeaf, longLeaf, priorityOfRow } from './leaf-row.ts'
import { findPlace } from './place.ts'
import type { HeadMap, Place } from './place.ts'

/** How much text may still be read. */
interface Room {
  left: number
}

/** The tree that entries make up, for whoever looks at it path by path. */
export class EntryView implements TreeView {
  #source: EntrySource
  readonly #heads: HeadMap

  constructor(source: EntrySource, heads: HeadMap) {
    this.#source = source
    this.#heads = heads
  }

  kind(path: Path): NodeKind {
    if (isPriorityPath(path)) return this.#priority(path) === undefined ? 'none' : 'leaf'
    const place = findPlace(path, this.#heads, this.#source)
    // The text of a leaf may be long, and says no more of this than how it begins.
    const passed =
      place.entry === undefined ? this.#source.passed(place.head, place.name) : place.entry
    if (typeof passed === 'number') return 'branch'
    if (passed === longLeaf) return place.rest === '' ? 'leaf' : 'none'
    const part = passed ? partOf(passed, place) : undefined
    if (part === undefined) return 'none'
    return isLeaf(part) ? 'leaf' : 'branch'
  }

  get(path: Path): TreeValue {
    const found = this.find(path)
    if (found === undefined) return TreeValue.null
    return found instanceof Head ? this.gather(found) : found
  }

  *keys(path: Path, range: KeyRange = {}): Iterable<string> {
    checkKeyRange(range)
    const found = this.find(path)
    if (found instanceof Head) yield* this.#namesUnder(found, range)
    else if (found !== undefined && !isLeaf(found)) {
      yield* keysInRange(found.node as Branch, range)
    }
  }

  /** The entry or the part of one that is the node at `path`, or the priority that it stands for. */
  find(path: Path): Entry | undefined {
    if (isPriorityPath(path)) return this.#priority(path)
    const place = findPlace(path, this.#heads, this.#source)
    const entry =
      place.entry === undefined ? this.#source.entry(place.head, place.name) : place.entry
    if (entry === longLeaf) return undefined
    if (entry === null || entry === undefined || entry instanceof Head) return entry ?? undefined
    return partOf(entry, place)
  }

  /** The node at `path`, where it is a large one without its children. */
  top(path: Path): TreeNode | null {
    const found = this.find(path)
    return found instanceof Head ? new Branch(new Map(), found.priority) : (found?.node ?? null)
  }

  /** Ends the view: reading from it fails from now on. */
  close(): void {
    this.#source = closedSource
  }

  /** Reads everything under a head into memory. */
  gather(head: Head): TreeValue {
    return TreeValue.fromNode(this.#node(head, { left: Infinity }) ?? null)
  }

  /** The value of an entry that has up to so much text; `undefined` where there is more. */
  valueUpTo(entry: Entry, length: number): TreeValue | undefined {
    if (!(entry instanceof Head)) return entry.text.length > length ? undefined : entry
    const node = this.#node(entry, { left: length })
    return node === undefined ? undefined : TreeValue.fromNode(node)
  }

  *#namesUnder(head: Head, range: KeyRange): Iterable<string> {
    for (const name of this.#source.names(head.number, range)) {
      yield name
      // The view may have ended meanwhile, and what it looked at has gone on.
      if (this.#source === closedSource) throw viewClosed()
    }
  }

  #priority(path: Path): TreeValue | undefined {
    const found = this.find(splitPriorityPath(path).path)
    if (found === undefined) return undefined
    const priority = found instanceof Head ? found.priority : priorityOfRow(found)
    return priority === null ? undefined : TreeValue.fromNode(priority)
  }

  /** `undefined` where there is more text than room is left. */
  #node(head: Head, room: Room): TreeNode | null | undefined {
    const children = new Map<string, TreeNode>()
    for (const name of this.#source.names(head.number)) {
      const child = this.#child(head.number, name, room)
      if (child === undefined) return undefined
      if (child !== null) children.set(name, child)
    }
    return branchOf(children, head.priority)
  }

  #child(head: number, name: string, room: Room): TreeNode | null | undefined {
    const entry = this.#source.entry(head, name)
    room.left -= name.length
    if (entry instanceof Head) return this.#node(entry, room)
    room.left -= entry?.text.length ?? 0
    return room.left < 0 ? undefined : (entry?.node ?? null)
  }
}

/** What a view that has ended reads from. Every walk asks for an entry first. */
const closedSource: EntrySource = {
  entry() {
    throw viewClosed()
  },
  passed() {
    throw viewClosed()
  },
  names: () => [],
}

function viewClosed(): TreeError {
  return new TreeError('ERR_STORE_CLOSED', 'Cannot read: the view is closed')
}

/** The part of a row that a place points into; `undefined` where the row has nothing there. */
export function partOf(row: TreeValue, place: Place): TreeValue | undefined {
  if (place.rest === '') return row
  if (isLeaf(row)) return undefined
  const keys = place.rest.split('/')
  if (row.form === 'plain') {
    const part = locate(row.text, keys)
    return part && TreeValue.fromCanonical(row.text.slice(part.start, part.end), 'plain')
  }
  const node = nodeAt(row.node, keys)
  return node === null ? undefined : TreeValue.fromNode(node)
}
