import type { TreeNode } from './node.ts'
import type { Path } from './path.ts'
import type { TreeError } from './errors.ts'
import type { QueryResult, TreeQuery } from './query.ts'
import type { HeldValueLimit } from './held-value-limit.ts'
import type { TreeValue } from './tree-value.ts'

/** How JSON text shows priorities: `plain` hides them and renders arrays, `export` does neither. */
export type JsonForm = 'plain' | 'export'

/** What lies at a path, without its data. */
export type NodeKind = 'none' | 'leaf' | 'branch'

export interface KeyRange {
  /** Only keys after this one, in key order. */
  readonly after?: string
  /** Only keys before this one. */
  readonly before?: string
  /** At most so many keys: a natural number, 0 for none, or `Infinity`. Default: no limit. */
  readonly limit?: number
  /** From the last key to the first. Default: false. */
  readonly reverse?: boolean
}

/** The tree at one moment, read only as far as it is asked. Shared by snapshots and judges. */
export interface TreeView {
  /** What lies at `path`, without reading its data. */
  kind(path: Path): NodeKind
  /** The whole value at `path`, read into memory; the null value where nothing is. */
  get(path: Path): TreeValue
  /**
   * Names of the children of `path` in key order; none for a leaf or nothing.
   * @throws {RangeError} as `checkKeyRange`, at the latest when the first one is taken.
   */
  keys(path: Path, range?: KeyRange): Iterable<string>
}

/**
 * An immutable view of the tree as of one commit. Holds resources of the store until closed:
 * close it as soon as possible, and never keep one while waiting for somebody else. While a write
 * is being applied, in its functions and its judge, every reading of it throws `TypeError`.
 */
export interface TreeSnapshot extends TreeView, Disposable {
  /** Sequence number of the last change it contains; 0 in a new database. */
  readonly sequence: number
  /** The value at `path` as JSON bytes; `undefined` where nothing is. The bytes are the caller's. */
  json(path: Path, form?: JsonForm): Uint8Array | undefined
  /**
   * The same bytes in blocks of about 64 KiB, read while they are taken, so that any size needs
   * bounded memory. A value that fits one block comes as one. `undefined` where nothing is. The blocks are the
   * caller's, who may give one back as the argument of `next()`, to be filled again where the store does so.
   */
  jsonBlocks(path: Path, form?: JsonForm): Iterable<Uint8Array> | undefined
  /**
   * The children of `path` that a query asks for. By a child path or by `$value` it needs an index of
   * exactly this place, unless the store was opened to do without: then it looks at all children.
   * @throws {TreeError} `ERR_INDEX_NOT_DEFINED` with `path` and `index` where there is none, or it is
   * still being built; `ERR_INVALID_CURSOR`. The result may throw that one later, when it is read.
   * @throws {RangeError} and others for a wrong query, as `checkQuery`.
   */
  query(path: Path, query: TreeQuery): QueryResult
  /** Digest of the value with its priorities, 28 characters of base 64; `null_etag` for nothing. */
  etag(path: Path): string
  /** Gives the resources back. Closing twice is harmless; reading after it throws `ERR_STORE_CLOSED`. */
  close(): void
}

/**
 * A large value that was checked, cut and stored beforehand by a {@link Stager}. It can be written
 * once, by the store that staged it: every later write of it is refused, and every one after `abort()`. It is a branch,
 * and so never a priority.
 */
export interface StagedValue {
  readonly staged: unknown
}

/**
 * A value to be written: a node, nothing, a value with its text (which spares a store that keeps
 * text from making it), something staged, or a function of what is there. Whoever made it has
 * checked it, as `parseJson` and `fromJson` do; a store does not check it again.
 */
export type WriteValue =
  | TreeNode
  | null
  | TreeValue
  | StagedValue
  | ((current: TreeValue) => TreeNode | TreeValue | null | undefined)

export interface WritePair {
  /**
   * Where to write. A path that ends in `.priority` sets the priority of the node there, and takes
   * numbers, strings, `null` and server values; for others the outcome is `ERR_INVALID_PRIORITY`.
   */
  readonly path: Path
  /**
   * What to write; `null` deletes. A function is called once, inside the write, with the value
   * current at that moment; what it returns is written, and `undefined` refuses the whole write
   * with `ERR_REFUSED`.
   */
  readonly value: WriteValue
}

/**
 * A condition on the tree before the write; where it fails the outcome is `ERR_CONDITION_FAILED`.
 *
 * A value with more than 64 KiB of text takes long to digest. A store may do that in a snapshot, and
 * within the write only make sure that nothing there has changed since. A write queued with
 * {@link TreeStore.write} may then take effect behind others that were queued after it, and be
 * refused for what was there at any moment since it was queued.
 */
export interface Precondition {
  readonly path: Path
  /** What {@link TreeSnapshot.etag} must give; `null_etag` for "nothing there". */
  readonly etag: string
  /**
   * What a snapshot said that was opened after the write was asked for: a thread that only reads can
   * digest a large value for the one that writes. Where so much happened since that it does not help,
   * the outcome may be `ERR_CONDITION_STALE`, with no function and no judge called: look again, or leave
   * it to the store.
   */
  readonly known?: KnownEtag
}

/**
 * What {@link TreeSnapshot.etag} gave, and the {@link TreeSnapshot.sequence} of that snapshot. With one below 0, which no snapshot
 * has, nothing is known: only to learn whether it takes long to find out.
 */
export interface KnownEtag {
  readonly etag: string
  readonly sequence: number
}

/**
 * Decides about a write inside its transaction: sees the tree before and after it, and allows it
 * (`undefined`) or refuses it with an error that becomes the write's outcome. Must be synchronous
 * and must not keep the views. Is asked again where the transaction failed and is tried once more.
 */
export type Judge = (before: TreeView, after: TreeView, now: number) => Error | undefined

/**
 * One request to change the tree: all of it happens, or none. What the judge says comes before
 * a failed precondition, so that who may not know what is there does not learn it from the error.
 */
export interface TreeWrite {
  /**
   * Applied in order, one on the result of the other; server values and functions see the tree as
   * it was before the first. No path may be equal to, or below, another one: `ERR_PATH_CONFLICT`.
   */
  readonly pairs: readonly WritePair[]
  /**
   * Where the pairs are members of one update, the path that is updated: at or above all of theirs. The
   * {@link Change} says it again, to those who tell others of it.
   */
  readonly update?: Path
  readonly precondition?: Precondition
  readonly judge?: Judge
  /**
   * Applies it once, however often it is sent. When the same write was accepted before, also before
   * a restart, it is accepted again with the same outcome, and nothing else in it is looked at. A
   * number that does not follow the last one is `ERR_OUTCOME_UNKNOWN`, another write under the
   * last number `ERR_IDEMPOTENCY_KEY_REUSED`. A write that is refused leaves the number unused.
   */
  readonly idempotencyKey?: IdempotencyKey
}

/**
 * Names a write that its client may have to send again, because it did not hear what became of it.
 * A store remembers the last write of each client, for as long as it says.
 */
export interface IdempotencyKey {
  /** Who writes: 1 to 128 letters, digits or `-._~`. Nobody else may use the name. */
  readonly client: string
  /** 1 for the first write of the client, and one more after each that was accepted. */
  readonly number: number
  /** Tells the write from any other, such as a digest of the request that asks for it. */
  readonly fingerprint: string
  /** Remembered with the outcome, and given back with it. */
  readonly memo?: string
}

/** A write that was applied, and what it came to. */
export interface WriteAccepted {
  readonly ok: true
  /** Number of the change; `undefined` when the write changed nothing, which makes no change. */
  readonly sequence: number | undefined
  /** The time of the write, milliseconds since 1970: what its server timestamps became. */
  readonly time: number
  /**
   * What was written for each pair, server values resolved; `undefined` for what is too large to hand back
   * (read it from a snapshot): a staged value, and where a write comes again maybe one that was computed.
   */
  readonly values: readonly (TreeValue | undefined)[]
  /** It was accepted before, under the same {@link IdempotencyKey}; this is what it came to then. */
  readonly repeated?: { readonly memo: string | undefined }
}

/** A write that was not applied. Nothing of it was stored. */
export interface WriteRefused {
  readonly ok: false
  readonly error: TreeError | Error
  /**
   * With `ERR_CONDITION_FAILED`: what is there instead, as of the refusal. May be left out where that
   * has more than 64 KiB of text: read it from a snapshot.
   */
  readonly current?: { readonly etag: string; readonly value: TreeValue }
}

export type WriteOutcome = WriteAccepted | WriteRefused

/** One pair of a {@link Change}. */
export interface ChangePair {
  /** May end in `.priority`. */
  readonly path: Path
  /** The value that was written there; `undefined` when it was too large for the change log (a hole). */
  readonly value: TreeValue | undefined
}

/** What one accepted write did to the tree, everything in it resolved. */
export interface Change {
  /** Grows by one with each change, for the life of the database. */
  readonly sequence: number
  /** Milliseconds since 1970. */
  readonly time: number
  /** Opaque place in the history; says whether two histories are the same. */
  readonly id: string
  /** The path that was updated, where the {@link TreeWrite} said so. */
  readonly update?: Path | undefined
  /**
   * Only pairs that changed something when their turn came, in the order of the write. Applied in
   * this order to the tree before the write they give the tree after it.
   */
  readonly pairs: readonly ChangePair[]
}

/** Goes from change to change, without an object for each, for whoever passes on what is there. */
export interface ChangeCursor extends Disposable {
  /** Goes to the first change, then to the one behind. @returns false behind the last, where it stays. */
  next(): boolean
  /** Number of the change that it is at. */
  readonly sequence: number
  /** Id of the change that it is at. */
  readonly id: string
  /** The change that it is at, for whom it may be copied with all that lies beside it. */
  readonly change: Change
  /** How many that takes where it lies: to read one with many takes long. */
  readonly bytes: number
  /** How many it has gone through so far, for whoever pauses after some of them. */
  readonly bytesRead: number
  /**
   * Writes what the change that it is at and those behind it say, and goes to the last one that it is done with. It stops
   * before a change that is more than one pair in plain form, unless all of it is seen to be elsewhere, or whose path has to be
   * read to be written or to know where it is; where there is no room; and anywhere else, because not all are in one place.
   *
   * @param most Changes to be done with, at least 1.
   * @returns with how many it is done: those elsewhere are, too. 0: not even with the one that it is at.
   */
  copyPairs(frame: PairFrame, target: PairTarget, most: number): number
  /**
   * Gives up the memory of the change that it is at, as far as that is worth it, before a pause. That change is not looked at any
   * more then, but for its number and id. What {@link change} gave stays.
   */
  idle(): void
}

/** What is written of pairs, all in UTF-8: path, text and id of each, and what stands around them. */
export interface PairFrame {
  /** Pairs here and below are written, with their paths from here on. Empty for the root. */
  readonly path: Uint8Array
  readonly beforePath: Uint8Array
  /** Before the canonical text of the value, in plain form. */
  readonly beforeText: Uint8Array
  /** Instead of these two and the path, where a pair is at `path` itself. */
  readonly beforeOwnText: Uint8Array
  readonly beforeId: Uint8Array
  readonly behindId: Uint8Array
  /** 1 for each byte that is not written as it is in a path. */
  readonly isSpecial: Uint8Array
}

/** Memory that pairs are written to. */
export interface PairTarget {
  readonly bytes: Uint8Array
  /** Where the next one begins. */
  end: number
  /** Behind the pair that reaches this it stops. */
  readonly limit: number
  /** Pairs that were written. */
  count: number
  /** How long `bytes` would have to be for the pair before which it stopped; 0 where it didn't for that. */
  wanted: number
}

/** Takes JSON bytes as they arrive, checks them and stores what is large without holding it. */
export interface Stager {
  /** Takes the next bytes. @throws {TreeError} on bad input; nothing stays stored then. */
  write(chunk: Uint8Array): void
  /**
   * Ends the input. One pair with an empty key for a value; for an update one for each member, in
   * an order in which they can be written: deletions behind what is set, priorities last.
   * @throws {TreeError} when the input ends too early.
   */
  end(): readonly StagedPair[]
  /** Throws away what was staged. Harmless after `end()` when the pairs were written. */
  abort(): void
}

export interface StagedPair {
  /**
   * For `update` the member name as it stood in the input, which may be a relative path; `''` for
   * `value`, and for an update that was the word `null`.
   */
  readonly key: string
  /** A large value is staged; a small one is given as it is. */
  readonly value: TreeNode | null | TreeValue | StagedValue
}

export interface StageOptions {
  /**
   * `value`: any JSON. `update`: an object whose members are separate writes, of which the small ones
   * are held in memory. Default: `value`.
   */
  readonly kind?: 'value' | 'update'
  /**
   * Number of keys in the path it will be written to, for the limit on depth, which no write looks at
   * again. Default: that of `path`; 0 where that is unknown.
   */
  readonly depth?: number
  /**
   * The path it will be written to, which tells a store with indexes what to prepare. It may be written
   * elsewhere all the same; the write takes longer then. Default: unknown.
   */
  readonly path?: Path
  /**
   * Counts members of updates and server values: unlike large values they take memory until the write, which makes them
   * in one go. Too many fail with `ERR_TOO_MANY_VALUES`. Default: there may be any number.
   */
  readonly heldValues?: HeldValueLimit
}

/** How a store is, for those who watch it; what it does not know is left out. Sizes in bytes. */
export interface TreeStoreStats {
  /** What this store, and not another one that is open on the same data, has committed. */
  readonly commits?: CommitStats
  /** Changes in the change log. */
  readonly changes?: number
  /**
   * Entries of the tree: values in one piece, and heads of larger ones; one more for each head that may have an odd
   * integer or a priority among its children. Those count too that are being staged, or are still to be removed.
   */
  readonly rows?: number
  /** Entries of indexes: one for each child and index of its place, where that is no single row. */
  readonly indexEntries?: number
  /** Heads whose rows are still to be removed, and those of values that are being staged. */
  readonly graves?: number
  /** Levels of the tree on the disk that holds the rows. */
  readonly depth?: number
  /** Size that the data file may grow to before its map does. */
  readonly mapBytes?: number
  /** Size of the data file. */
  readonly fileBytes?: number
  /** Pages of it that nothing uses, and that the next writes fill first. */
  readonly freeBytes?: number
  /** Snapshots that are held open, in all threads. */
  readonly snapshots?: number
  /** Commits since the oldest of them: what these replaced stays on the disk for it. */
  readonly oldestSnapshotCommits?: number
}

/** Commits since a store was opened. */
export interface CommitStats {
  readonly count: number
  /** Writes in all of them. */
  readonly writes: number
  /** How many commits had at most 1, 2, 4, 8 and so on writes, but more than the entry before says. */
  readonly bySize: readonly number[]
}

/**
 * A store of one JSON tree. Every method except {@link write} and {@link close} is synchronous
 * and works in the calling thread.
 *
 * A write is applied by itself: the functions and the judge in it have what they are given, and may
 * neither read the store nor write to it. There `snapshot`, `commit`, `stage` and all readings of
 * snapshots that were opened before throw `TypeError`, and `write` and `close` reject with one. A listener
 * may do all of this.
 */
export interface TreeStore extends AsyncDisposable {
  /**
   * Opens a snapshot of the newest commit: contains every write answered before the call.
   * @throws {TreeError} `ERR_TOO_MANY_SNAPSHOTS` when a store has no room for one more.
   */
  snapshot(): TreeSnapshot
  /**
   * Applies writes in order in one commit and returns when it is as durable as the store was
   * opened to be. Each write succeeds or fails by itself.
   * @throws {TreeError} `ERR_STORE_FULL`, `ERR_STORE_FAILED` when the commit failed, `ERR_TOO_MANY_SNAPSHOTS` when there was no
   * room for a snapshot to compare in: nothing was written.
   */
  commit(writes: readonly TreeWrite[]): readonly WriteOutcome[]
  /** Queues a write; writes that wait together share a commit. Rejects only where `commit` throws. */
  write(write: TreeWrite): Promise<WriteOutcome>
  /** Begins to take in a value too large to hold in memory. */
  stage(options?: StageOptions): Stager
  /**
   * Gives up what the store keeps from the last reading to make the next one cheap. A thread that
   * blocks, as in `Atomics.wait`, calls this before: else older data stays on the disk for it until
   * its next turn of the event loop, and the files grow. Open snapshots stay as they are. Costs
   * next to nothing, the reading after it as well; harmless at any time.
   */
  idle(): void
  /** What it says of itself to who watches it, read without looking through the data. */
  stats?(): TreeStoreStats
  /**
   * Calls `listener` after each commit from now on, with its changes in order. Commits of other threads that
   * this one has not heard of yet are among them: a sequence number says what is known already. Returns the way
   * to stop it, after which it hears nothing more.
   */
  subscribe(listener: (changes: readonly Change[]) => void): () => void
  /**
   * The change with this id and those behind it, oldest first; none when the change log does not have it
   * any more or it is of another history. What {@link idOf} gives for 0 stands for a change without pairs,
   * before all others. To be taken in one turn.
   */
  changesFrom(id: string): Iterable<Change>
  /** The same changes for whoever reads many, of stores that have them as bytes. Until it is disposed of, in this turn or a later one, it holds a snapshot. */
  cursorFrom?(id: string): ChangeCursor
  /**
   * The id of the change with this number; `undefined` when the change log does not have it any more.
   * The newest change is always there.
   */
  idOf(sequence: number): string | undefined
  /**
   * Waits for queued writes, those among them that listeners queue when they hear of the others,
   * then closes. Everything after it fails with `ERR_STORE_CLOSED`.
   */
  close(): Promise<void>
}

/**
 * How a thread opens a store for itself: transactions belong to one thread, so that a store cannot be
 * sent to another, but its descriptor can (by `postMessage` or `workerData`).
 */
export interface StoreDescriptor {
  /** URL of a module that exports {@link StoreModule}. */
  readonly module: string
  /** What its `openStore` takes; survives structured clone. */
  readonly options: unknown
}

/** What a thread asks of a store that it opens by a descriptor. */
export interface OpenStoreOptions {
  /**
   * Opens for reading only. A server has its writer open first, and readers once that has: only readers may be
   * terminated. Default: false.
   */
  readonly readOnly?: boolean
  /** For who watches whether this thread, which writes, is still alive. */
  readonly progress?: WriterProgress
}

/** Words of shared memory by which a thread shows that its write transactions go on. */
export interface WriterProgress {
  /**
   * The first one grows with each row that is written. The second is 1 while a commit is on its way to
   * the disk, which may take as long as the disk likes, and 0 otherwise.
   */
  readonly words: Int32Array
}

/** The exports of the module that a {@link StoreDescriptor} names. */
export interface StoreModule {
  openStore(options: unknown, how: OpenStoreOptions): Promise<TreeStore>
}
