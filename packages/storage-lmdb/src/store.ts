import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TreeError, TreeValue, checkIndexDefinitions } from '@elkyn/tree'
import type {
  Change,
  IndexDefinitions,
  KnownEtag,
  StageOptions,
  Stager,
  TreeSnapshot,
  TreeStore,
  TreeWrite,
  WriteOutcome,
} from '@elkyn/tree'
import { Batch } from './batch.ts'
import { CarriedRows } from './carried-rows.ts'
import { ChangeFeed } from './change-feed.ts'
import { ChangeLog } from './change-log.ts'
import { ClientRecords, copyClients } from './client-records.ts'
import { CommitMeter } from './commit-meter.ts'
import { LargeConditions } from './conditions.ts'
import { DroppedHeads } from './dropped-heads.ts'
import { StorageError } from './errors.ts'
import { storeError } from './failures.ts'
import { makeFolder } from './folder.ts'
import { CatalogReader } from './index-catalog.ts'
import { Lmdb } from './lmdb.ts'
import { CursorChanges } from './log-cursor.ts'
import type { LogCursor } from './log-cursor.ts'
import type { ReadOptions } from './lmdb-types.ts'
import { Readers } from './readers.ts'
import type { Reader } from './readers.ts'
import { ReadSnapshot } from './read-snapshot.ts'
import { Reclaimer } from './reclaimer.ts'
import { RelaxedSync } from './relaxed-sync.ts'
import { RowStager } from './row-stager.ts'
import { SnapshotIndexes } from './snapshot-indexes.ts'
import { StoreIndexes, checkSealing } from './store-indexes.ts'
import type { IndexStatus } from './store-indexes.ts'
import type { LmdbTreeStoreOptions } from './store-options.ts'
import { storeStats } from './store-stats.ts'
import type { StoreStats } from './store-stats.ts'
import { WriteQueue } from './write-queue.ts'
import { WriteTransactions } from './write-transactions.ts'
import type { TransactionState } from './write-transactions.ts'

const HELD_MAX_BYTES = 2 * 1024 * 1024
const COMPARED_MAX_LENGTH = 64 * 1024

/** What a commit came to. */
interface Committed {
  readonly outcomes: readonly WriteOutcome[]
  readonly changes: readonly Change[]
  /** How many heads went away. */
  readonly gone: number
}

/** A {@link TreeStore} in LMDB. Belongs to the thread that opened it. */
export class LmdbTreeStore implements TreeStore {
  readonly #lmdb: Lmdb
  readonly #options: LmdbTreeStoreOptions
  readonly #log: ChangeLog
  readonly #readers: Readers
  readonly #reclaimer: Reclaimer
  readonly #feed: ChangeFeed
  readonly #transactions: WriteTransactions
  readonly #indexes: StoreIndexes
  readonly #snapshotIndexes: SnapshotIndexes
  readonly #queue: WriteQueue
  readonly #conditions: LargeConditions
  readonly #commits: CommitMeter = new CommitMeter()
  readonly #carried = new CarriedRows()
  readonly #sync: RelaxedSync | undefined
  /** What was staged and dropped, neither written nor aborted. */
  readonly #dropped = new DroppedHeads((heads) => {
    this.#reclaimer.bury(heads)
  })
  readonly #closeListeners = new Set<() => void>()
  readonly #backups = new Set<Promise<void>>()
  #closed = false
  #closing: Promise<void> | undefined

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
        this.#indexes.committed()
      },
    })
    this.#log = new ChangeLog(this.#lmdb, options.epoch, options.log, options.sealer)
    this.#readers = new Readers(this.#lmdb)
    this.#feed = new ChangeFeed(this.#lmdb, this.#log, this.#readers)
    const catalogs = new CatalogReader(this.#lmdb)
    this.#transactions = new WriteTransactions(this.#lmdb, this.#log, catalogs, this.#readers)
    const transact: WriteTransactions['run'] = (work) => {
      this.#transactions.run(work)
    }
    this.#reclaimer = new Reclaimer(this.#lmdb, (work) => {
      this.#transactions.run(work, true)
      // It may have made room.
      this.#indexes.retry()
    })
    this.#snapshotIndexes = new SnapshotIndexes(catalogs, {
      areRequired: options.requireIndexes,
      failure: () => this.#indexes.failure,
    })
    this.#indexes = new StoreIndexes(this.#lmdb, this.#readers, catalogs, {
      transact,
      hasRoom: () => this.#room() > 0,
      stepsATurn: options.indexStepsATurn,
    })
    this.#queue = new WriteQueue((writes) => this.#apply(writes))
    this.#conditions = new LargeConditions({
      log: this.#log,
      readers: this.#readers,
      queue: this.#queue,
      comparedMaxLength: this.#comparedMaxLength,
      openSnapshot: () => this.#openSnapshot(),
    })
    if (options.readOnly) return
    try {
      if (options.durability === 'relaxed') this.#sync = new RelaxedSync(this.#lmdb, options.path)
      this.#indexes.begin(options.indexes)
    } catch (error) {
      // Nobody has the store who could close it.
      void this.#sync?.stop()
      this.#readers.close()
      void this.#lmdb.close()
      throw error
    }
    this.#reclaimer.wake()
  }

  snapshot(): TreeSnapshot {
    this.#checkOpen('read')
    // lmdb would read from the open write transaction instead.
    if (this.#lmdb.isWriting) {
      throw new TypeError('Cannot read here: a write is being applied. Use what it was given')
    }
    return this.#openSnapshot()
  }

  /** Whether a write is being applied, in this thread. */
  get isWriting(): boolean {
    return this.#lmdb.isWriting
  }

  #openSnapshot(): ReadSnapshot {
    const reader = this.#readers.acquire()
    return new ReadSnapshot(this.#lmdb, this.#log, this.#snapshotIndexes, reader, this.#release)
  }

  commit(writes: readonly TreeWrite[]): readonly WriteOutcome[] {
    this.#checkWritable()
    // Writes take effect in the order of the calls.
    this.#queue.flush()
    return this.#apply(writes)
  }

  #apply(writes: readonly TreeWrite[]): readonly WriteOutcome[] {
    const known = this.#conditions.lookAhead(writes)
    // What may have to be tried again must not call a function, which is promised to be called once.
    const carried = writes.some(isComputed) ? undefined : this.#carried
    let committed: Committed
    try {
      committed = this.#commit(writes, known, carried)
      carried?.committed()
    } catch (error) {
      if (carried?.failed(error) !== true) throw error
      committed = this.#commit(writes, known, undefined)
    }
    this.#indexes.retry()
    this.#reclaimer.retry()
    this.#commits.record(writes.length)
    if (committed.gone > 0) this.#reclaimer.wake()
    this.#feed.publish(committed.changes)
    return committed.outcomes
  }

  #commit(
    writes: readonly TreeWrite[],
    known: readonly (KnownEtag | undefined)[] | undefined,
    carried: CarriedRows | undefined,
  ): Committed {
    const outcomes: WriteOutcome[] = []
    let changes: readonly Change[] = []
    let gone = 0
    let batch: Batch | undefined
    try {
      this.#sync?.keepUp()
      this.#sync?.check()
      this.#indexes.check()
      this.#reclaimer.check()
      this.#transactions.run((state) => {
        const before = state.counters.headsGone
        batch = new Batch(this.#lmdb, this.#log, this.#transactions.heads, state, {
          writes,
          rowMaxBytes: this.#options.rowMaxBytes,
          room: this.#room(),
          comparedMaxLength: this.#comparedMaxLength,
          clients: new ClientRecords(this.#lmdb, this.#options.sealer, this.#options.clients),
        })
        for (let index = 0; index < writes.length; index++) {
          outcomes.push(batch.apply(writes[index]!, known?.[index]))
        }
        batch.store()
        carried?.store(state, batch.room)
        changes = batch.changes
        gone = state.counters.headsGone - before
      }, writes.every(isRemoval))
    } catch (error) {
      batch?.release()
      throw error
    }
    return { outcomes, changes, gone }
  }

  async write(write: TreeWrite): Promise<WriteOutcome> {
    this.#checkWritable()
    return this.#conditions.write(write)
  }

  stage(options: StageOptions = {}): Stager {
    this.#checkWritable()
    const { rowMaxBytes, heldMaxBytes = HELD_MAX_BYTES } = this.#options
    const context = {
      lmdb: this.#lmdb,
      rowMaxBytes,
      heldMaxBytes,
      checkWritable: () => {
        this.#checkWritable()
      },
      transact: (work: (state: TransactionState) => void) => {
        this.#checkWritable()
        this.#transactions.run(work)
        // What was replaced or thrown away lies buried now.
        this.#reclaimer.wake()
      },
      carried: this.#carried,
      bury: (heads: readonly number[]) => {
        this.#reclaimer.bury(heads)
      },
      dropped: this.#dropped,
      checkRoom: (bytes: () => number) => {
        const room = this.#room()
        if (room === Infinity || room >= bytes()) return
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
    this.#indexes.begin(checked)
  }

  /**
   * Resolves when all indexes are built, whichever thread builds them.
   * @throws {StorageError} `ERR_INDEX_FAILED`
   */
  async indexesBuilt(): Promise<void> {
    this.#checkOpen('build indexes')
    await this.#indexes.built()
  }

  /** All indexes, and whether queries can use them already. */
  indexes(): IndexStatus[] {
    this.#checkOpen('read')
    return this.#indexes.list()
  }

  /** The indexes as `defineIndexes` takes them. */
  definitions(): IndexDefinitions {
    this.#checkOpen('read')
    return this.#indexes.definitions()
  }

  /** Rows, names and index entries that this store has read so far. */
  get entriesRead(): number {
    return this.#lmdb.entriesRead
  }

  idle(): void {
    if (this.#closed) return
    this.#readers.giveUp()
    this.#sync?.keepUp()
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

  changesFrom(id: string): Iterable<Change> {
    return new CursorChanges(this.cursorFrom(id))
  }

  cursorFrom(id: string): LogCursor {
    const begin = (): Reader => {
      this.#checkOpen('read')
      return this.#readers.acquire()
    }
    return this.#log.cursorFrom(id, begin, (reader) => {
      this.#readers.release(reader)
    })
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
    this.#transactions.run(() => {
      this.#log.clear()
    })
    const reader = from.#readers.acquire()
    try {
      const entries = this.#historyOf(from, reader.options)
      // oxlint-disable-next-line no-unmodified-loop-condition -- changed inside the transaction
      for (let isLeft = true; isLeft;) {
        this.#transactions.run(() => {
          for (let count = 0; count < most && isLeft; count++) isLeft = entries.next().done !== true
        })
      }
    } finally {
      from.#readers.release(reader)
    }
    // The log stands elsewhere now.
    this.#transactions.forget()
  }

  *#historyOf(from: LmdbTreeStore, options: ReadOptions): Generator<void, void, void> {
    yield* from.#log.copyTo(this.#log, options)
    yield* copyClients(from.#lmdb, this.#lmdb, options)
  }

  /** Copies the environment as of now into an empty folder. */
  async backup(folder: string): Promise<void> {
    this.#checkOpen('back up')
    try {
      makeFolder(folder)
    } catch (error) {
      throw error instanceof StorageError ? unlessFull(error) : error
    }
    const copying = this.#backUpAlone(folder)
    this.#backups.add(copying)
    try {
      await copying
    } finally {
      this.#backups.delete(copying)
    }
  }

  /** Lets no other backup write to the folder meanwhile, from wherever it is. */
  async #backUpAlone(folder: string): Promise<void> {
    checkEmpty(folder, [])
    const claim = join(folder, '.backup')
    try {
      writeFileSync(claim, '', { flag: 'wx' })
    } catch (cause) {
      throw unlessFull(
        new StorageError('ERR_FOLDER_INVALID', `Cannot back up to "${folder}"`, { cause }),
      )
    }
    try {
      // One that was at it may have come to its end in between.
      checkEmpty(folder, ['.backup'])
      await this.#lmdb.backup(folder)
    } finally {
      rmSync(claim, { force: true })
    }
  }

  stats(): StoreStats {
    this.#checkOpen('read')
    // Before this opens one itself.
    const snapshots = this.#lmdb.stats.snapshots()
    const reader = this.#readers.acquire()
    try {
      const changes = this.#log.count(reader.options)
      return { ...storeStats(this.#lmdb), ...snapshots, changes, commits: this.#commits.stats() }
    } finally {
      this.#readers.release(reader)
    }
  }

  async close(): Promise<void> {
    if (this.#lmdb.isFolderWriting) {
      throw new TypeError('Cannot close here: a write is being applied')
    }
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    const commitWaiting = (): void => {
      // To listeners that hear of this it is open, to all others closed: what these add might have no end.
      this.#closed = false
      this.#queue.empty()
      this.#closed = true
    }
    commitWaiting()
    await this.#conditions.finish(commitWaiting)
    for (const listener of this.#closeListeners) listener()
    this.#dropped.close()
    this.#reclaimer.close()
    this.#indexes.close()
    this.#feed.close()
    this.#readers.close()
    // lmdb copies and syncs in threads of its own, which would go on in a closed environment.
    await Promise.allSettled(this.#backups)
    await this.#sync?.stop()
    const { leave = async (closeData) => closeData() } = this.#options
    try {
      if (this.#sync !== undefined) await this.#lmdb.sync()
      // Of what an earlier one did not bring to the disk this one may say nothing.
      this.#sync?.check()
    } finally {
      await leave(async () => this.#lmdb.close())
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  get #comparedMaxLength(): number {
    return this.#options.comparedMaxLength ?? COMPARED_MAX_LENGTH
  }

  /** Bytes that may still be stored. Pages that nothing uses count as room. */
  #room(): number {
    const { maxBytes } = this.#options
    return maxBytes === Infinity ? Infinity : maxBytes - this.#lmdb.stats.usedBytes()
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

/** Whether a write removes what is there and puts nothing in. */
function isRemoval({ pairs }: TreeWrite): boolean {
  return pairs.every(({ value }) => value === null || (value instanceof TreeValue && value.isNull))
}

function isComputed({ pairs }: TreeWrite): boolean {
  return pairs.some(({ value }) => typeof value === 'function')
}

/** What to say of a folder that is of no use, unless only the disk is full. */
function unlessFull(error: StorageError): Error {
  const failed = storeError(error.cause, 'Cannot back up')
  return failed instanceof TreeError && failed.code === 'ERR_STORE_FULL' ? failed : error
}

function checkEmpty(folder: string, allowed: readonly string[]): void {
  if (readdirSync(folder).every((name) => allowed.includes(name))) return
  throw new StorageError('ERR_FOLDER_INVALID', `Cannot back up to "${folder}": it is not empty`)
}
