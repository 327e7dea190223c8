import { readdirSync } from 'node:fs'
import { TreeError, checkIndexDefinitions, pathsConflict } from '@elkyn/tree'
import type {
  Change,
  IndexDefinition,
  IndexDefinitions,
  KnownEtag,
  Path,
  Precondition,
  StageOptions,
  Stager,
  TreeSnapshot,
  TreeStore,
  TreeWrite,
  WriteOutcome,
  WriterProgress,
} from '@elkyn/tree'
import { Batch, releaseStaged } from './batch.ts'
import type { BatchState } from './batch.ts'
import { ChangeFeed } from './change-feed.ts'
import { ChangeLog } from './change-log.ts'
import type { LogLimits } from './change-log.ts'
import { ClientRecords, copyClients } from './client-records.ts'
import type { ClientLimits } from './client-records.ts'
import { CommitMeter } from './commit-meter.ts'
import { readCounters, writeCounters } from './counters.ts'
import { StorageError } from './errors.ts'
import { makeFolder } from './folder.ts'
import { buryUnlinked } from './graves.ts'
import { hasHeads } from './index-building.ts'
import { CatalogReader, isUnfinished, withDefinitions, writeCatalog } from './index-catalog.ts'
import { IndexKeeper } from './index-keeper.ts'
import { storedEntries } from './layer-storage.ts'
import { Lmdb } from './lmdb.ts'
import type { ReadOptions } from './lmdb.ts'
import type { HeadMap } from './place.ts'
import { Readers } from './readers.ts'
import type { Reader } from './readers.ts'
import { ReadSnapshot } from './read-snapshot.ts'
import { Reclaimer } from './reclaimer.ts'
import { RowStager } from './row-stager.ts'
import type { Sealer } from './sealer.ts'
import { SnapshotIndexes } from './snapshot-indexes.ts'
import { storeStats } from './store-stats.ts'
import type { StoreStats } from './store-stats.ts'
import { TimeSlices } from './time-slices.ts'
import { WriteQueue } from './write-queue.ts'

/** An index, and what has become of it. */
export interface IndexStatus {
  /** The place whose children it is about; a part `*` stands for any key. */
  readonly place: string
  /** What it orders them by: `$value`, `$priority` or a path below each child. */
  readonly field: string
  /** Whether queries can use it; `false` while it is being built. */
  readonly isReady: boolean
}

export interface LmdbTreeStoreOptions {
  readonly path: string
  readonly epoch: string
  readonly readOnly: boolean
  readonly durability: 'full' | 'relaxed'
  readonly rowMaxBytes: number
  readonly maxReaders: number
  readonly maxBytes: number
  readonly log: LogLimits
  readonly clients: ClientLimits
  /** Those there are to be; `undefined` leaves them as they are. */
  readonly indexes: readonly IndexDefinition[] | undefined
  /** Whether a query is refused that has none. */
  readonly requireIndexes: boolean
  readonly sealer: Sealer | undefined
  readonly progress?: WriterProgress | undefined
  /** Whether this process has opened the folder for writing before: a reader then opens as one. */
  readonly joins: boolean
  /** Called when the store has closed. */
  readonly released?: () => Promise<void>
  /** Bytes from which on a staged value goes to the disk. Default: 1 MiB. */
  readonly heldMaxBytes?: number
  /** Text up to which a value is compared with a precondition within the write. Default: 65,536. */
  readonly comparedMaxLength?: number
  /** Children that an index is built from in one turn. Default: as many as there is time for. */
  readonly indexStepsATurn?: number
}

const HELD_MAX_BYTES = 1024 * 1024
const COMPARED_MAX_LENGTH = 64 * 1024

/** How often `relaxed` commits are brought to the disk, in milliseconds. */
const SYNC_INTERVAL_MS = 1000

/** How often a write goes round because the value of its precondition keeps changing. */
const CONDITION_ROUNDS = 4

/** A {@link TreeStore} in LMDB. Belongs to the thread that opened it. */
export class LmdbTreeStore implements TreeStore {
  readonly #lmdb: Lmdb
  readonly #options: LmdbTreeStoreOptions
  readonly #log: ChangeLog
  readonly #readers: Readers
  readonly #reclaimer: Reclaimer
  readonly #feed: ChangeFeed
  readonly #catalogs: CatalogReader
  readonly #indexes: SnapshotIndexes
  readonly #keeper: IndexKeeper
  readonly #queue: WriteQueue
  readonly #commits: CommitMeter = new CommitMeter()
  readonly #syncTimer: NodeJS.Timeout | undefined
  /** Heads as of the newest commit that this thread knows. */
  #heads: HeadMap = new Map()
  /** What the last write transaction of this thread left, and its number among all threads'. */
  #state: BatchState | undefined
  #turn = 0
  /** What digests large values for preconditions, and how many writes wait for that or for what follows. */
  readonly #slices: TimeSlices = new TimeSlices()
  #goingRound = 0
  /** What was staged and dropped, neither written nor aborted. */
  readonly #dropped = new FinalizationRegistry<() => readonly number[]>((heads) => {
    this.#bury(heads())
  })
  readonly #closeListeners = new Set<() => void>()
  readonly #backups = new Set<Promise<void>>()
  #closed = false
  #closing: Promise<void> | undefined
  /** Why relaxed commits did not reach the disk; the next writer is told. */
  #syncError: unknown

  constructor(options: LmdbTreeStoreOptions) {
    this.#options = options
    this.#lmdb = new Lmdb({
      path: options.path,
      readOnly: options.joins,
      syncCommits: options.durability === 'full',
      mustSync: options.durability === 'full' && !options.readOnly,
      maxReaders: options.maxReaders,
      sealer: options.sealer,
      progress: options.progress,
      onCommit: () => {
        this.#feed.catchUp()
      },
    })
    this.#log = new ChangeLog(this.#lmdb, options.epoch, options.log, options.sealer)
    this.#readers = new Readers(this.#lmdb)
    this.#feed = new ChangeFeed(this.#lmdb, this.#log, this.#readers)
    this.#reclaimer = new Reclaimer(this.#lmdb, (work) => {
      this.#transact(work)
    })
    this.#queue = new WriteQueue((writes) => this.#apply(writes))
    this.#catalogs = new CatalogReader(this.#lmdb)
    this.#indexes = new SnapshotIndexes(this.#catalogs, options.requireIndexes)
    const transact = (work: (state: BatchState) => void) => {
      this.#transact(work)
    }
    this.#keeper = new IndexKeeper(this.#lmdb, {
      transact,
      hasRoom: () => this.#room() > 0,
      stepsATurn: options.indexStepsATurn,
    })
    if (options.readOnly) return
    this.#beginIndexes(options.indexes)
    this.#reclaimer.wake()
    if (options.durability === 'relaxed') {
      this.#syncTimer = setInterval(() => {
        void this.#syncNow()
      }, SYNC_INTERVAL_MS).unref()
    }
  }

  snapshot(): TreeSnapshot {
    this.#checkOpen('read')
    // lmdb would read from the open write transaction instead.
    if (this.#lmdb.isWriting) {
      throw new TypeError('Cannot read here: a write is being applied. Use what it was given')
    }
    return this.#openSnapshot()
  }

  #openSnapshot(): ReadSnapshot {
    const reader = this.#readers.acquire()
    return new ReadSnapshot(this.#lmdb, this.#log, this.#indexes, reader, this.#release)
  }

  commit(writes: readonly TreeWrite[]): readonly WriteOutcome[] {
    this.#checkWritable()
    // Writes take effect in the order of the calls.
    this.#queue.flush()
    return this.#apply(writes)
  }

  #apply(writes: readonly TreeWrite[]): readonly WriteOutcome[] {
    this.#checkSynced()
    const known = this.#lookAhead(writes)
    const outcomes: WriteOutcome[] = []
    let changes: readonly Change[] = []
    let gone = 0
    try {
      this.#transact((state) => {
        const before = state.counters.headsGone
        const batch = new Batch(this.#lmdb, this.#log, this.#heads, state, {
          rowMaxBytes: this.#options.rowMaxBytes,
          room: this.#room(),
          comparedMaxLength: this.#comparedMaxLength,
          clients: new ClientRecords(this.#lmdb, this.#options.sealer, this.#options.clients),
        })
        for (let index = 0; index < writes.length; index++) {
          outcomes.push(batch.apply(writes[index]!, known?.[index]))
        }
        batch.store()
        changes = batch.changes
        gone = state.counters.headsGone - before
      })
    } catch (error) {
      for (const write of writes) releaseStaged(write)
      throw error
    }
    this.#keeper.retry()
    this.#commits.record(writes.length)
    if (gone > 0) this.#reclaimer.wake()
    this.#feed.publish(changes)
    return outcomes
  }

  async write(write: TreeWrite): Promise<WriteOutcome> {
    this.#checkWritable()
    const { precondition } = write
    if (precondition === undefined || precondition.known !== undefined) {
      return this.#queue.add(write)
    }
    this.#goingRound++
    try {
      return await this.#goRound(write, precondition)
    } finally {
      this.#goingRound--
    }
  }

  /** Where a precondition is about a large value, finds out about that between the other writes. */
  async #goRound(write: TreeWrite, precondition: Precondition): Promise<WriteOutcome> {
    const { path, etag } = precondition
    let known: KnownEtag = { etag, sequence: NEVER }
    for (let round = 0; round < CONDITION_ROUNDS; round++) {
      const outcome = await this.#queue.add({ ...write, precondition: { path, etag, known } })
      if (outcome.ok || !isStale(outcome.error)) return outcome
      known = await this.#slices.run(this.#knownEtag(path))
    }
    return this.#queue.add(write)
  }

  /** The etag of a large value, and up to when it is known to be this one. */
  *#knownEtag(path: Path): Generator<void, KnownEtag, void> {
    const known = yield* this.#digest(path)
    // So that the writer has little left to look through.
    const reader = this.#readers.acquire()
    try {
      for (const bearing of this.#log.bearingsAfter(known.sequence, path, reader.options)) {
        if (bearing !== 'none') return known
        yield
      }
      return { etag: known.etag, sequence: this.#log.position(reader.options).sequence }
    } finally {
      this.#readers.release(reader)
    }
  }

  *#digest(path: Path): Generator<void, KnownEtag, void> {
    using snapshot = this.#openSnapshot()
    const { sequence } = snapshot
    return { etag: yield* snapshot.etagSteps(path), sequence }
  }

  /** What a snapshot says of the preconditions about large values, by the index of the write. */
  #lookAhead(writes: readonly TreeWrite[]): readonly (KnownEtag | undefined)[] | undefined {
    if (!writes.some(isUnknown)) return undefined
    using snapshot = this.#openSnapshot()
    return writes.map((write, index) => {
      const { precondition } = write
      if (precondition === undefined || !isUnknown(write)) return undefined
      const { path } = precondition
      // What another one of them changes no snapshot has seen.
      if (writes.slice(0, index).some((before) => bearsOn(before, path))) return undefined
      if (!snapshot.isLonger(path, this.#comparedMaxLength)) return undefined
      return { etag: snapshot.etag(path), sequence: snapshot.sequence }
    })
  }

  stage(options: StageOptions = {}): Stager {
    this.#checkWritable()
    const { rowMaxBytes, heldMaxBytes = HELD_MAX_BYTES } = this.#options
    const context = {
      lmdb: this.#lmdb,
      rowMaxBytes,
      heldMaxBytes,
      transact: (work: (state: BatchState) => void) => {
        this.#checkWritable()
        this.#transact(work)
        // What was replaced or thrown away lies buried now.
        this.#reclaimer.wake()
      },
      buryAfter: (owner: object, heads: () => readonly number[]) => {
        this.#dropped.register(owner, heads, owner)
      },
      keepAfter: (owner: object) => {
        this.#dropped.unregister(owner)
      },
      checkRoom: (bytes: number) => {
        if (this.#room() >= bytes) return
        throw new TreeError('ERR_STORE_FULL', 'Cannot stage: the data has reached maxBytes')
      },
    }
    return new RowStager(context, options)
  }

  /**
   * Changes which indexes there are: new ones are built in the background, and those not named any more
   * are dropped.
   *
   * @throws as `checkIndexDefinitions`; {@link TypeError} where values are sealed.
   */
  defineIndexes(definitions: IndexDefinitions): void {
    this.#checkWritable()
    const checked = checkIndexDefinitions(definitions)
    checkSealing(checked, this.#options.sealer)
    this.#queue.flush()
    this.#beginIndexes(checked)
  }

  /** Resolves when all indexes are built, as far as this store builds them. */
  async indexesBuilt(): Promise<void> {
    this.#checkOpen('build indexes')
    await this.#keeper.finished()
  }

  /** All indexes, and whether queries can use them already. */
  indexes(): IndexStatus[] {
    this.#checkOpen('read')
    const reader = this.#readers.acquire()
    try {
      return this.#catalogs.read(reader.options).indexes.map(({ place, field, state }) => {
        return { place, field: field.name, isReady: state === 'ready' }
      })
    } finally {
      this.#readers.release(reader)
    }
  }

  /** The indexes as `defineIndexes` takes them. */
  definitions(): IndexDefinitions {
    const definitions: Record<string, string[]> = {}
    for (const { place, field } of this.indexes()) (definitions[place] ??= []).push(field)
    return definitions
  }

  /** Rows, names and index entries that this store has read so far. */
  get entriesRead(): number {
    return this.#lmdb.entriesRead
  }

  #beginIndexes(definitions: readonly IndexDefinition[] | undefined): void {
    const reader = this.#readers.acquire()
    const catalog = this.#catalogs.read(reader.options)
    this.#readers.release(reader)
    // Else the file would grow for it until the next turn.
    this.#readers.giveUp()
    if (
      definitions !== undefined &&
      withDefinitions(catalog, definitions, 'building') !== catalog
    ) {
      this.#transact((state) => {
        // Where all is in one row there is nothing to build them from.
        const begin = hasHeads(storedEntries(this.#lmdb)) ? 'building' : 'ready'
        const changed = withDefinitions(state.indexes, definitions, begin)
        if (changed === state.indexes) return
        state.indexes = changed
        writeCatalog(this.#lmdb, changed)
      })
      this.#keeper.wake()
    } else if (isUnfinished(catalog)) this.#keeper.wake()
  }

  idle(): void {
    if (!this.#closed) this.#readers.giveUp()
  }

  #bury(heads: readonly number[]): void {
    if (this.#closed || heads.length === 0) return
    try {
      this.#transact(() => {
        for (const head of heads) buryUnlinked(this.#lmdb, head)
      })
      this.#reclaimer.wake()
    } catch {
      // As they are of this session, they lie buried when the folder is opened next.
    }
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    this.#checkOpen('subscribe')
    return this.#feed.subscribe(listener)
  }

  /** Calls a function when the store closes. @returns the way to stop that. */
  onClose(listener: () => void): () => void {
    this.#closeListeners.add(listener)
    return () => {
      this.#closeListeners.delete(listener)
    }
  }

  *changesFrom(id: string): Generator<Change, void, void> {
    this.#checkOpen('read')
    const reader = this.#readers.acquire()
    try {
      const sequence = this.#log.sequenceOf(id, reader.options)
      if (sequence === 0) yield { sequence, time: 0, id, pairs: [] }
      if (sequence !== undefined) yield* this.#log.changesAfter(sequence - 1, reader.options)
    } finally {
      this.#readers.release(reader)
    }
  }

  idOf(sequence: number): string | undefined {
    this.#checkOpen('read')
    const reader = this.#readers.acquire()
    try {
      return this.#log.idOf(sequence, reader.options)
    } finally {
      this.#readers.release(reader)
    }
  }

  /**
   * Replaces the change log by that of another store, and remembers the clients that it does, `most`
   * entries a commit.
   */
  copyHistory(from: LmdbTreeStore, most: number): void {
    this.#transact(() => {
      this.#log.clear()
    })
    const reader = from.#readers.acquire()
    try {
      const entries = this.#historyOf(from, reader.options)
      // oxlint-disable-next-line no-unmodified-loop-condition -- changed inside the transaction
      for (let isLeft = true; isLeft;) {
        this.#transact(() => {
          for (let count = 0; count < most && isLeft; count++) isLeft = entries.next().done !== true
        })
      }
    } finally {
      from.#readers.release(reader)
    }
    // The next transaction reads where the log stands.
    this.#state = undefined
  }

  *#historyOf(from: LmdbTreeStore, options: ReadOptions): Generator<void, void, void> {
    yield* from.#log.copyTo(this.#log, options)
    yield* copyClients(from.#lmdb, this.#lmdb, options)
  }

  /** Copies the environment as of now into an empty folder. */
  async backup(folder: string): Promise<void> {
    this.#checkOpen('back up')
    makeFolder(folder)
    if (readdirSync(folder).length > 0) {
      throw new StorageError('ERR_FOLDER_INVALID', `Cannot back up to "${folder}": it is not empty`)
    }
    const copying = this.#lmdb.backup(folder)
    this.#backups.add(copying)
    try {
      await copying
    } finally {
      this.#backups.delete(copying)
    }
  }

  stats(): StoreStats {
    this.#checkOpen('read')
    // Before this opens one itself.
    const snapshots = this.#lmdb.snapshotStats()
    const reader = this.#readers.acquire()
    try {
      const changes = this.#log.count(reader.options)
      return { ...storeStats(this.#lmdb), ...snapshots, changes, commits: this.#commits.stats() }
    } finally {
      this.#readers.release(reader)
    }
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    this.#queue.flush()
    this.#closed = true
    while (this.#goingRound > 0) {
      this.#slices.finish()
      this.#queue.flush()
      // One step of those that wait for this.
      await Promise.resolve()
    }
    for (const listener of this.#closeListeners) listener()
    clearInterval(this.#syncTimer)
    this.#reclaimer.close()
    this.#keeper.close()
    this.#feed.close()
    this.#readers.close()
    // lmdb copies in a thread of its own, which would go on in a closed environment.
    await Promise.allSettled(this.#backups)
    try {
      if (this.#syncTimer !== undefined) await this.#lmdb.sync()
    } finally {
      await this.#lmdb.close()
      await this.#options.released?.()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #syncNow(): Promise<void> {
    try {
      await this.#lmdb.sync()
    } catch (error) {
      // What the system could not write it may forget, so that a later sync says nothing of it.
      this.#syncError = error
    }
  }

  #checkSynced(): void {
    const error = this.#syncError
    if (error === undefined) return
    this.#syncError = undefined
    throw error
  }

  /** Runs `work` in a write transaction with the counters as they are, and stores what it did to them. */
  #transact(work: (state: BatchState) => void): void {
    try {
      this.#lmdb.transact((turn) => {
        const state = this.#stateOf(turn)
        const { nextHead, headsGone } = state.counters
        work(state)
        if (state.counters.nextHead !== nextHead || state.counters.headsGone !== headsGone) {
          writeCounters(this.#lmdb, state.counters)
        }
        this.#state = state
        this.#turn = turn
      })
    } catch (error) {
      this.#state = undefined
      this.#heads.clear()
      throw error
    }
  }

  /** Counters and log position at the beginning of a transaction. */
  #stateOf(turn: number): BatchState {
    if (this.#state !== undefined && turn === this.#turn + 1) return this.#state
    const counters = readCounters(this.#lmdb, undefined)
    // Another thread may have taken heads away.
    this.#heads.clear()
    const indexes = this.#catalogs.read(undefined)
    return { counters, log: this.#log.position(undefined), indexes }
  }

  get #comparedMaxLength(): number {
    return this.#options.comparedMaxLength ?? COMPARED_MAX_LENGTH
  }

  /** Bytes that may still be stored. Pages that nothing uses count as room. */
  #room(): number {
    const { maxBytes } = this.#options
    return maxBytes === Infinity ? Infinity : maxBytes - this.#lmdb.usedBytes()
  }

  readonly #release = (reader: Reader): void => {
    this.#readers.release(reader)
  }

  #checkOpen(doing: string): void {
    if (this.#closed)
      throw new TreeError('ERR_STORE_CLOSED', `Cannot ${doing}: the store is closed`)
  }

  #checkWritable(): void {
    this.#checkOpen('write')
    if (this.#lmdb.isFolderWriting) {
      throw new TypeError('Cannot write here: another write is being applied')
    }
    if (this.#options.readOnly) throw new TypeError('Cannot write: the store was opened read-only')
  }
}

/**
 * The entries of an index hold what they order by, and would show what is sealed in the rows.
 * @throws {TypeError}
 */
export function checkSealing(
  indexes: readonly IndexDefinition[],
  sealer: Sealer | undefined,
): void {
  if (sealer === undefined || indexes.length === 0) return
  throw new TypeError(
    'Cannot index: an encryption key seals values, and an index would show them. Open without ' +
      'indexes, and with requireIndexes false to query all the same',
  )
}

/** Before all changes, and not what any log goes back to. */
const NEVER = -1

/** Whether a write has a precondition, and nothing is known about that. */
function isUnknown({ precondition }: TreeWrite): boolean {
  return precondition !== undefined && precondition.known === undefined
}

function bearsOn({ pairs }: TreeWrite, path: Path): boolean {
  return pairs.some((pair) => pathsConflict(pair.path, path))
}

function isStale(error: Error): boolean {
  return error instanceof TreeError && error.code === 'ERR_CONDITION_STALE'
}
