import {
  TreeError,
  TreeValue,
  childPath,
  fromJson,
  joinPath,
  parsePath,
  pathDepth,
  pushId,
  updateOf,
} from '@elkyn/tree'
import type {
  IndexDefinitions,
  KeyRange,
  TreeQuery,
  TreeSnapshot,
  TreeStore,
  TreeWrite,
  WriteAccepted,
  WriteOutcome,
} from '@elkyn/tree'
import { completeCopy } from './folder.ts'
import type { Databases } from './folder.ts'
import type { IndexStatus } from './store-indexes.ts'
import type { LmdbTreeStore } from './store.ts'
import type { StoreStats } from './store-stats.ts'
import { callEach, watchPath } from './watch.ts'
import type { ListenerOptions, TreeEvent, WatchOptions } from './watch.ts'

/** What a query found. */
export interface QueryPage {
  /** The children in the order of the query, with their whole values. */
  readonly children: readonly { readonly key: string; readonly value: unknown }[]
  /** For the `cursor` of the next page; `undefined` without `limitToFirst`, and where nothing follows. */
  readonly cursor: string | undefined
}

/**
 * A tree database in this process. Values go in and out as plain JSON values: objects, arrays,
 * strings, numbers, booleans, and `null` for nothing. Paths are text such as `/users/ada`.
 *
 * Methods that write return when the write is durable; writes of one turn of the event loop share a
 * commit. The `…Sync` forms commit before they return, for worker threads and scripts.
 *
 * All methods throw or reject with {@link TreeError}: `ERR_INVALID_PATH` and `ERR_PATH_TOO_LONG` for
 * a path, `ERR_INVALID_KEY`, `ERR_INVALID_VALUE` and their kin for a value that a tree can't hold,
 * `ERR_STORE_FULL`, `ERR_STORE_FAILED`, `ERR_STORE_CLOSED` and `ERR_TOO_MANY_SNAPSHOTS` for the store.
 */
export class Tree implements AsyncDisposable {
  readonly #store: LmdbTreeStore
  readonly #key: Uint8Array | undefined
  /** Whether the tree is one database, or each child of its root one of several. */
  readonly databases: 'one' | 'several'

  constructor(store: LmdbTreeStore, key: Uint8Array | undefined, databases: Databases = 'one') {
    this.#store = store
    this.#key = key
    this.databases = databases
  }

  /** The contract beneath: snapshots, conditions, judges, staged values, the feed of changes. */
  get store(): TreeStore {
    return this.#store
  }

  /** The value at a path, `null` where nothing is. */
  get(path: string): unknown {
    const bytes = this.getJson(path)
    if (bytes === undefined) return null
    // Not by `JSON.parse`: V8 reads some keys with escapes wrong, and `toJSON` knows which.
    return TreeValue.fromCanonical(decoder.decode(bytes), 'plain').toJSON()
  }

  /** The same as JSON text in UTF-8; `undefined` where nothing is. */
  getJson(path: string): Uint8Array | undefined {
    return this.#read((snapshot) => snapshot.json(parsePath(path, { priority: true })))
  }

  /** Whether anything is at a path. */
  has(path: string): boolean {
    return this.#read((snapshot) => snapshot.kind(parsePath(path, { priority: true })) !== 'none')
  }

  /**
   * Names of the children of a path in key order, without reading them. For pages, pass the last
   * name of one page as `after` of the next, with a `limit`.
   */
  keys(path: string, range?: KeyRange): string[] {
    return this.#read((snapshot) => [...snapshot.keys(parsePath(path), range)])
  }

  /**
   * The children of a path that a query asks for, in its order. By a child path or `$value` it needs an
   * index of exactly this path.
   *
   * @throws {TreeError} `ERR_INDEX_NOT_DEFINED` where there is none, or it is still being built;
   * `ERR_INVALID_CURSOR`; {@link RangeError} and others for a wrong query, as `checkQuery` of
   * `@elkyn/tree`.
   */
  query(path: string, query: TreeQuery): QueryPage {
    const parsed = parsePath(path)
    return this.#read((snapshot) => {
      const result = snapshot.query(parsed, query)
      const children = Array.from(result.entries(), ({ key }) => {
        return { key, value: snapshot.get(childPath(parsed, key)).toJSON() }
      })
      return { children, cursor: result.cursor() }
    })
  }

  /**
   * Number of the children of a path, all or those that a query asks for, without reading them.
   * @throws {TreeError} as {@link query}.
   */
  count(path: string, query: TreeQuery = { orderBy: '$key' }): number {
    return this.#read((snapshot) => snapshot.query(parsePath(path), query).count())
  }

  /**
   * Changes which indexes there are, as the option of the same name does when the tree is opened.
   * @throws {TypeError} where values are sealed.
   */
  defineIndexes(indexes: IndexDefinitions): void {
    this.#store.defineIndexes(indexes)
  }

  /** The indexes that there are, and whether queries can use them already. */
  indexes(): IndexStatus[] {
    return this.#store.indexes()
  }

  /**
   * Resolves when the indexes that are being built, in whichever thread, are complete, and dropped ones gone. Only
   * trees that were not opened with `readOnly` work at that.
   * @throws {StorageError} `ERR_INDEX_FAILED`
   */
  async indexesBuilt(): Promise<void> {
    await this.#store.indexesBuilt()
  }

  /** Replaces the value at a path; `null` deletes it. */
  async set(path: string, value: unknown): Promise<void> {
    await this.#write(setWrite(path, value))
  }

  /** Does what {@link Tree.set} does, and returns when the write is on the disk: it blocks the thread. */
  setSync(path: string, value: unknown): void {
    this.#commit(setWrite(path, value))
  }

  /**
   * Replaces some of the children of a path and leaves the others. Names may be paths
   * (`{ 'a/b': 1, 'c/d': 2 }`): all of them change in one step or none.
   */
  async update(path: string, members: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#write(updateWrite(path, members))
  }

  /** Does what {@link Tree.update} does, as {@link Tree.setSync}. */
  updateSync(path: string, members: Readonly<Record<string, unknown>>): void {
    this.#commit(updateWrite(path, members))
  }

  /** Adds a child with a new key that sorts behind those made before. @returns the key. */
  async push(path: string, value: unknown): Promise<string> {
    const key = pushId()
    await this.#write(setWrite(joinPath(parsePath(path), key), value))
    return key
  }

  /** Does what {@link Tree.push} does, as {@link Tree.setSync}. @returns the key. */
  pushSync(path: string, value: unknown): string {
    const key = pushId()
    this.#commit(setWrite(joinPath(parsePath(path), key), value))
    return key
  }

  /** Deletes what is at a path. Deleting nothing is not an error. */
  async delete(path: string): Promise<void> {
    await this.#write(setWrite(path, null))
  }

  /** Does what {@link Tree.delete} does, as {@link Tree.setSync}. */
  deleteSync(path: string): void {
    this.#commit(setWrite(path, null))
  }

  /**
   * Computes a new value from the one that is there, with nobody writing in between: `change` is
   * called once, inside the write, and never again. Where it returns `undefined` nothing is written; what it returns
   * replaces the value as a plain one, so that priorities at and below the path go.
   *
   * @returns the value that is there afterwards.
   */
  async transaction(path: string, change: (current: unknown) => unknown): Promise<unknown> {
    const [write, result] = transactionWrite(path, change)
    return result(await this.#store.write(write))
  }

  /** Does what {@link Tree.transaction} does, as {@link Tree.setSync}. @returns the value that is there afterwards. */
  transactionSync(path: string, change: (current: unknown) => unknown): unknown {
    const [write, result] = transactionWrite(path, change)
    return result(this.#store.commit([write])[0]!)
  }

  /**
   * Follows a path: first its value, then each change at, above or below it, in order and each once.
   * Ends when `signal` aborts or the loop is left.
   */
  watch(path: string, options?: WatchOptions): AsyncIterable<TreeEvent>
  /**
   * The same with a function. Where that throws, or a value cannot be read, the watch ends and `onError` is told.
   * @returns the function that ends it.
   */
  watch(path: string, listener: (event: TreeEvent) => void, options?: ListenerOptions): () => void
  watch(
    path: string,
    listenerOrOptions?: ((event: TreeEvent) => void) | WatchOptions,
    options: ListenerOptions = {},
  ): AsyncIterable<TreeEvent> | (() => void) {
    const parsed = parsePath(path)
    if (typeof listenerOrOptions !== 'function') {
      return watchPath(this.#store, parsed, listenerOrOptions ?? {})
    }
    return callEach(this.#store, parsed, listenerOrOptions, options)
  }

  /**
   * To be called before this thread blocks, as in `Atomics.wait`. What it read last stays on the disk
   * for it otherwise until its next turn of the event loop, and the file grows while others write. With `relaxed`
   * durability it also syncs what was written, once a second, if the event loop has not done so for two.
   */
  idle(): void {
    this.#store.idle()
  }

  /**
   * Copies the database as it is now into an empty folder, while it is read and written. The copy is
   * a database of its own, with a history of its own.
   *
   * @throws {StorageError} `ERR_FOLDER_INVALID` when the folder is not empty or can't be made;
   * {@link TreeError} `ERR_STORE_FULL` or `ERR_STORE_FAILED` when the copy can't be written.
   */
  async backup(folder: string): Promise<void> {
    await this.#store.backup(folder)
    completeCopy(folder, this.#key, this.databases)
  }

  /**
   * How much is stored: exact, and known without looking through the data. `depth` is not that of the tree, but the
   * levels of pages that LMDB has its rows in.
   */
  stats(): StoreStats {
    return this.#store.stats()
  }

  /** Waits for writes that were begun, then closes. Closing twice is harmless. */
  async close(): Promise<void> {
    await this.#store.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Not with `using`, which costs as much as the rest of a read. */
  #read<T>(work: (snapshot: TreeSnapshot) => T): T {
    const snapshot = this.#store.snapshot()
    try {
      return work(snapshot)
    } finally {
      snapshot.close()
    }
  }

  async #write(write: TreeWrite): Promise<WriteAccepted> {
    return accepted(await this.#store.write(write))
  }

  #commit(write: TreeWrite): WriteAccepted {
    return accepted(this.#store.commit([write])[0]!)
  }
}

const decoder = new TextDecoder()

function setWrite(path: string, value: unknown): TreeWrite {
  const parsed = parsePath(path, { priority: true })
  return { pairs: [{ path: parsed, value: fromJson(value, { depth: pathDepth(parsed) }) }] }
}

function updateWrite(path: string, members: Readonly<Record<string, unknown>>): TreeWrite {
  const parent = parsePath(path)
  const pairs = updateOf(members, { depth: pathDepth(parent) }).map(({ path: below, value }) => ({
    path: joinPath(parent, below),
    value,
  }))
  return { pairs, update: parent }
}

type Result = (outcome: WriteOutcome) => unknown

/** A write that computes its value, and the function that says what it came to. */
function transactionWrite(
  path: string,
  change: (current: unknown) => unknown,
): [write: TreeWrite, result: Result] {
  const parsed = parsePath(path)
  let before: TreeValue | undefined
  const value = (current: TreeValue) => {
    before = current
    const next = change(current.toJSON())
    return next === undefined ? undefined : fromJson(next, { depth: pathDepth(parsed) })
  }
  const result = (outcome: WriteOutcome) => {
    const isRefused = !outcome.ok && before !== undefined && isRefusal(outcome.error)
    return isRefused ? before?.toJSON() : accepted(outcome).values[0]?.toJSON()
  }
  return [{ pairs: [{ path: parsed, value }] }, result]
}

function isRefusal(error: Error): boolean {
  return error instanceof TreeError && error.code === 'ERR_REFUSED'
}

function accepted(outcome: WriteOutcome): WriteAccepted {
  if (outcome.ok) return outcome
  throw outcome.error
}
