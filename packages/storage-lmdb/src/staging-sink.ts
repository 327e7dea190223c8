import { TreeValue, childPath, pathKeys } from '@elkyn/tree'
import type { Path, Priority, ServerValue, TreeNode, TreeSink } from '@elkyn/tree'
import { inOnePiece } from './buffer-text.ts'
import type { CarriedRows, WaitingRows } from './carried-rows.ts'
import type { DroppedHeads } from './dropped-heads.ts'
import { Head } from './entry.ts'
import type { Entry } from './entry.ts'
import { bury, stage } from './graves.ts'
import type { StoredIndex } from './index-catalog.ts'
import { notRead } from './index-changes.ts'
import type { IndexPlaces } from './index-places.ts'
import { iterableOf } from './iterable.ts'
import { Layer } from './layer.ts'
import { storedEntries, storeLayer } from './layer-storage.ts'
import type { Lmdb } from './lmdb.ts'
import { PlacedServerValues } from './placed-server-values.ts'
import { RowWriter } from './row-writer.ts'
import { StagedIndexes } from './staged-head.ts'
import type { StagedServerValue } from './staged-head.ts'
import type { TransactionState } from './write-transactions.ts'

/**
 * Rows of so many bytes go into one transaction, so that nobody waits long for the writer: a few
 * milliseconds and a sync. More at a time takes in a large value no faster; less costs a third more.
 */
const FLUSH_BYTES = 256 * 1024
/** From so many on they may be carried by a commit that comes before: each commit rewrites a page or two of theirs. */
const CARRIED_BYTES = 64 * 1024
/** What an entry that waits takes beside its key and text, so that empty ones count too. */
const PENDING_BYTES = 64
/** Numbers of heads taken at a time. Those not used are lost, of which there are enough. */
const NUMBERS_A_TIME = 1024

/** What staging needs of the store. */
export interface StagingContext {
  readonly lmdb: Lmdb
  readonly rowMaxBytes: number
  /** Less than so many bytes of a value are held in memory and written like any other. */
  readonly heldMaxBytes: number
  /** Runs `work` in a write transaction. */
  transact(work: (state: TransactionState) => void): void
  /** @throws {TreeError} `ERR_STORE_CLOSED` */
  checkWritable(): void
  /** Rows that the next commit of somebody else may carry. */
  readonly carried: CarriedRows
  /** Has these heads buried, as far as nobody has linked them. */
  bury(heads: readonly number[]): void
  /** Has that done once who has them can't be reached any more. */
  readonly dropped: DroppedHeads
  /** @throws {TreeError} `ERR_STORE_FULL` when so many more bytes are over the limit, which not all stores have. */
  checkRoom(bytes: () => number): void
}

/** A head that takes children in, before the tree has it. */
export interface OpenHead {
  readonly number: number
  readonly parent: OpenHead | undefined
  readonly key: string
  /** Where it will be in the tree; `undefined` where nobody said. */
  readonly path: Path | undefined
  priority: number | string | null
  /** Whether a child was replaced or deleted, so that maybe none is left. */
  isThinned: boolean
  isEmpty: boolean
}

/**
 * What waits to be stored: the child of an open head, or that it has none of this name. Not an object literal: those
 * that V8 has seen to live for a while it makes old ones from the beginning, with all that was made for them, and
 * a body of 60 MB took 12 collections of them instead of one.
 */
class Pending {
  readonly parent: OpenHead
  readonly key: string
  readonly entry: Entry | null

  constructor(parent: OpenHead, key: string, entry: Entry | null) {
    this.parent = parent
    this.key = key
    this.entry = entry
  }
}

/** Stores containers that are too large to be held, under heads that the tree does not have yet. */
export class StagingSink implements TreeSink<OpenHead>, WaitingRows {
  readonly #context: StagingContext
  readonly #carriedBytes: number
  #rootPath: () => Path | undefined = () => undefined
  /** Numbers of the indexes that were there from the first row on. */
  #indexed: ReadonlySet<number> | undefined
  #pending: Pending[] = []
  #pendingBytes = 0
  #nextNumber = 0
  #numbersEnd = 0
  readonly #roots: OpenHead[] = []
  /** Roots whose grave is still to be made; without one, nobody would find their rows again. */
  #newRoots: number[] = []
  #discarded: number[] = []
  /** By the root that they are below. */
  readonly #serverValues = new Map<OpenHead, PlacedServerValues>()

  constructor(context: StagingContext) {
    this.#context = context
    this.#carriedBytes = Math.min(CARRIED_BYTES, context.heldMaxBytes)
  }

  /** @param rootPath Says where the value that is opened next will be. */
  placeAt(rootPath: () => Path | undefined): void {
    this.#rootPath = rootPath
  }

  open(parent: OpenHead | undefined, key: string): OpenHead {
    if (this.#nextNumber === this.#numbersEnd) this.#commit()
    const number = this.#nextNumber++
    const path =
      parent === undefined ? this.#rootPath() : parent.path && childPath(parent.path, key)
    const head: OpenHead = {
      number,
      parent,
      key,
      path,
      priority: null,
      isThinned: false,
      isEmpty: true,
    }
    if (parent === undefined) {
      this.#roots.push(head)
      this.#newRoots.push(number)
    } else {
      // At once, so that whoever digs up the parent finds what was stored under this one.
      this.#set(parent, key, new Head(number, null))
    }
    return head
  }

  put(parent: OpenHead, key: string, node: TreeNode): void {
    const value = TreeValue.fromNode(node)
    this.#pendingBytes += value.text.length
    this.#set(parent, key, this.#withoutNode(value))
  }

  delete(parent: OpenHead, key: string): void {
    parent.isThinned = true
    this.#set(parent, key, null)
  }

  serverValue(parent: OpenHead, keys: readonly string[], value: ServerValue): void {
    const { root, path } = placeOf(parent, keys)
    let placed = this.#serverValues.get(root)
    if (placed === undefined) {
      placed = new PlacedServerValues()
      this.#serverValues.set(root, placed)
    }
    placed.set(path, value)
  }

  close(handle: OpenHead, priority: Priority): boolean {
    if (handle.isEmpty || (handle.isThinned && !this.#hasChildren(handle))) {
      if (handle.parent !== undefined) this.delete(handle.parent, handle.key)
      else this.discard(handle)
      return false
    }
    handle.priority = priority
    if (priority !== null && handle.parent !== undefined) {
      const head = new Head(handle.number, priority)
      this.#pending.push(new Pending(handle.parent, handle.key, head))
    }
    return true
  }

  discard(handle: OpenHead): void {
    this.#discarded.push(handle.number)
    this.#serverValues.delete(handle)
  }

  /** Stores what waits, if anything does. */
  flush(): void {
    if (this.#pending.length + this.#newRoots.length + this.#discarded.length > 0) this.#commit()
  }

  #commit(): void {
    let firstNumber = 0
    this.#context.transact((state) => {
      this.#context.checkRoom(() => this.addedBytes())
      if (this.#nextNumber === this.#numbersEnd) {
        firstNumber = state.counters.nextHead
        state.counters.nextHead += NUMBERS_A_TIME
      }
      this.store(state)
      for (const root of this.#discarded) bury(this.#context.lmdb, root)
    })
    if (firstNumber > 0) {
      this.#nextNumber = firstNumber
      this.#numbersEnd = firstNumber + NUMBERS_A_TIME
    }
    this.#discarded = []
    this.stored()
  }

  get waitingBytes(): number {
    return this.#pendingBytes
  }

  addedBytes(): number {
    return bytesOf(this.#pending)
  }

  store(state: TransactionState): void {
    const { lmdb, rowMaxBytes } = this.#context
    const layer = new Layer(storedEntries(lmdb))
    const rows = new RowWriter(layer, {
      rowMaxBytes,
      heads: new Map(),
      places: state.indexes.places,
      allocateHead: () => state.counters.nextHead++,
    })
    this.#indexed ??= new Set(state.indexes.indexes.map((index) => index.number))
    for (const { parent, key, entry } of this.#pending) {
      const path = parent.path && childPath(parent.path, key)
      rows.replaceUnder(parent.number, key, entry, path)
      if (path !== undefined) follow(layer, state.indexes.places, parent, path)
    }
    for (const root of this.#newRoots) stage(lmdb, root)
    storeLayer(lmdb, layer, state.counters)
  }

  stored(): void {
    this.#pending = []
    this.#pendingBytes = 0
    this.#newRoots = []
    this.#context.carried.remove(this)
  }

  /**
   * Forgets what waits: rows that are stored under a head which was buried before would stay for ever.
   * @returns the numbers of the heads that are to be buried, as far as they are stored.
   */
  abandon(): number[] {
    const numbers = this.#roots.map(({ number }) => number)
    const stored = numbers.filter((root) => !this.#newRoots.includes(root))
    this.stored()
    return stored
  }

  headOf(handle: OpenHead): Head {
    return new Head(handle.number, handle.priority)
  }

  /** Which indexes have their entries of what lies under an open head. */
  indexesOf(handle: OpenHead): StagedIndexes {
    return new StagedIndexes(handle.path, this.#indexed ?? new Set())
  }

  serverValuesOf(handle: OpenHead): StagedServerValue[] {
    const placed = this.#serverValues.get(handle)?.entries() ?? []
    return Array.from(placed, ([keys, value]) => ({ keys, value }))
  }

  /** What becomes a row waits as text alone: with the parts that it was made of, it is several times as large. */
  #withoutNode(value: TreeValue): TreeValue {
    if (value.text.length >= this.#context.rowMaxBytes) return value
    return TreeValue.fromCanonical(inOnePiece(value.text), value.form)
  }

  #set(parent: OpenHead, key: string, entry: Entry | null): void {
    this.#forgetServerValues(parent, key)
    if (entry !== null) parent.isEmpty = false
    this.#pending.push(new Pending(parent, key, entry))
    this.#pendingBytes += key.length + PENDING_BYTES
    if (this.#pendingBytes >= FLUSH_BYTES) this.flush()
    else if (this.#pendingBytes >= this.#carriedBytes) this.#context.carried.add(this)
  }

  /** What replaces a child replaces the server values in it. */
  #forgetServerValues(parent: OpenHead, key: string): void {
    if (this.#serverValues.size === 0) return
    const { root, path } = placeOf(parent, [key])
    this.#serverValues.get(root)?.forget(path)
  }

  #hasChildren(handle: OpenHead): boolean {
    this.flush()
    const { lmdb } = this.#context
    let found = false
    this.#context.transact(() => {
      for (const _ of iterableOf(() => lmdb.names(handle.number, { limit: 1 }, undefined))) {
        found = true
      }
    })
    return found
  }
}

/** Bytes that entries take when they are stored; `#pendingBytes` is about how much memory they take until then. */
function bytesOf(pending: readonly Pending[]): number {
  let bytes = 0
  for (const { key, entry } of pending) {
    bytes += Buffer.byteLength(key) + PENDING_BYTES
    if (entry instanceof TreeValue) bytes += Buffer.byteLength(entry.text)
  }
  return bytes
}

/** Has indexes of the places at and above an open head look at the child of it that is at `path`. */
function follow(
  layer: Layer,
  places: IndexPlaces<StoredIndex>,
  parent: OpenHead,
  path: Path,
): void {
  if (places.isEmpty) return
  const above = places.above(path)
  if (above.length === 0) return
  const keys = pathKeys(path)
  for (const { depth, indexes } of above) {
    let head: OpenHead | undefined = parent
    for (let up = keys.length - 1; up > depth; up--) head = head?.parent
    // Those above the staged value look at it once it is written.
    if (head === undefined) continue
    layer.indexing.touch(head.number, indexes, keys[depth]!, keys.slice(depth + 1), notRead)
  }
}

/** The root above an open head, and the keys that lead down from it. */
function placeOf(
  head: OpenHead,
  keys: readonly string[],
): { readonly root: OpenHead; readonly path: string[] } {
  const path = [...keys]
  let root = head
  for (; root.parent !== undefined; root = root.parent) path.unshift(root.key)
  return { root, path }
}
