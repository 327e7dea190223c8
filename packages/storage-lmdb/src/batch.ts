import { TreeError, TreeValue, checkConflicts, splitPriorityPath, withPriority } from '@elkyn/tree'
import type {
  Change,
  ChangePair,
  KnownEtag,
  Path,
  TreeWrite,
  WriteAccepted,
  WriteOutcome,
  WritePair,
  WriteRefused,
} from '@elkyn/tree'
import { BatchConditions, isStale } from './batch-conditions.ts'
import type { ChangeLog, LogPosition } from './change-log.ts'
import type { ClientRecords } from './client-records.ts'
import { Head } from './entry.ts'
import { EntryView } from './entry-view.ts'
import { etagOfBlocks, etagOfValue } from './etag.ts'
import { jsonBlocks } from './json-blocks.ts'
import type { JsonBlocks } from './json-blocks.ts'
import { Layer } from './layer.ts'
import { storedEntries, storeLayer } from './layer-storage.ts'
import { priorityOfRow } from './leaf-row.ts'
import type { Lmdb } from './lmdb.ts'
import { LOGGED_TEXT_MAX_LENGTH, isLogged, loggedPair } from './log-format.ts'
import type { HeadMap } from './place.ts'
import { invalidPriority, resolveValue } from './resolve-value.ts'
import type { ResolveContext, ResolvedStaged } from './resolve-value.ts'
import { RowWriter } from './row-writer.ts'
import type { StagedHead } from './staged-head.ts'
import type { TransactionState } from './write-transactions.ts'

export interface BatchOptions {
  /** All that will be applied, so that conditions can be looked at together. */
  readonly writes: readonly TreeWrite[]
  readonly rowMaxBytes: number
  /** Bytes that all writes together may add; `Infinity` while there is no telling. */
  readonly room: number
  /** Remembers who wrote what under an idempotency key. */
  readonly clients: ClientRecords
  /** A value with up to so much text is compared with a precondition, and handed back, within the write. */
  readonly comparedMaxLength: number
}

/** Writes that share one commit. Lives inside one write transaction. */
export class Batch {
  readonly #lmdb: Lmdb
  readonly #log: ChangeLog
  readonly #heads: HeadMap
  readonly #state: TransactionState
  /** Where the log stood before this batch. */
  readonly #begin: LogPosition
  /** Number of the last change. */
  #sequence: number
  /** One time for the whole batch, so that it never goes back within it. */
  readonly #now: number = Date.now()
  /** What the writes so far came to. */
  readonly #layer: Layer
  /** The tree with that. */
  readonly #view: EntryView
  /** What the write at hand changes on top of it. One layer serves all writes in turn. */
  readonly #top: Layer
  /** Writes into that layer. */
  readonly #rows: RowWriter
  /** Bytes that may still be added. */
  #room: number
  /** Whether a write was let through for which there was no room. */
  #isFull = false
  /** Staged values of its writes: of those that were applied, */
  readonly #used: StagedHead[] = []
  /** which are so many, and then of the one at hand. */
  #usedByApplied = 0
  readonly #resolving: ResolveContext
  readonly #conditions: BatchConditions
  readonly #clients: ClientRecords
  readonly changes: Change[] = []

  constructor(
    lmdb: Lmdb,
    log: ChangeLog,
    heads: HeadMap,
    state: TransactionState,
    options: BatchOptions,
  ) {
    this.#lmdb = lmdb
    this.#log = log
    this.#heads = heads
    this.#state = state
    this.#begin = state.log
    this.#sequence = state.log.sequence
    log.begin()
    this.#room = options.room
    this.#clients = options.clients
    this.#layer = new Layer(storedEntries(lmdb))
    this.#view = new EntryView(this.#layer, heads)
    this.#top = new Layer(this.#layer)
    this.#rows = new RowWriter(this.#top, {
      rowMaxBytes: options.rowMaxBytes,
      heads,
      places: state.indexes.places,
      allocateHead: () => state.counters.nextHead++,
    })
    this.#resolving = { lmdb, view: this.#view, now: this.#now, used: this.#used }
    this.#conditions = new BatchConditions({
      log,
      begin: state.log.sequence,
      writes: options.writes,
      changes: this.changes,
      comparedMaxLength: options.comparedMaxLength,
      view: this.#view,
      etagOf: (path) => this.#etag(path),
    })
  }

  /**
   * Applies one write on top of the ones before; what it throws or refuses changes nothing.
   *
   * @param known What a snapshot said of its precondition, where the write does not bring that itself.
   */
  apply(write: TreeWrite, known?: KnownEtag): WriteOutcome {
    const top = this.#top
    const { idempotencyKey: key } = write
    try {
      const repeated = key && this.#clients.repeat(write, key)
      if (repeated !== undefined) return repeated
      if (write.pairs.length > 1) checkConflicts(write.pairs.map(({ path }) => path))
      const failed = this.#conditions.check(write.precondition, known)
      // A judge has its say first: who may not know what is there does not learn it from the condition. But what comes back
      // when more is known must not have called a function, which is promised to be called once.
      if (failed !== undefined && (write.judge === undefined || isStale(failed))) {
        return this.#refuse(failed)
      }
      const { values, pairs, taken } = this.#writePairs(write, top)
      const refused = this.#judge(write, top) ?? failed
      if (refused !== undefined) return this.#refuse(refused)
      const sequence = this.#record(pairs, write.update)
      this.#layer.absorb(top)
      top.settle()
      this.#usedByApplied = this.#used.length
      if (taken === undefined) this.#isFull = true
      else this.#room -= taken
      const outcome: WriteAccepted = { ok: true, sequence, time: this.#now, values }
      if (key !== undefined) this.#clients.accept(write, key, outcome)
      return outcome
    } catch (error) {
      return this.#refuse({ ok: false, error: asError(error) })
    }
  }

  /** Bytes that may still be added. */
  get room(): number {
    return this.#isFull ? 0 : this.#room
  }

  /** Puts everything where it belongs, before the transaction commits. */
  store(): void {
    storeLayer(this.#lmdb, this.#layer, this.#state.counters)
    this.#state.log = this.#log.flush(this.#state.log)
    this.#clients.store(this.#now)
    if (this.changes.length > 0) {
      this.#log.trim(this.#begin, this.#state.log, this.#now, this.#isFull)
    }
  }

  /** To be called when the transaction failed: lets the staged values of its writes be written again, or thrown away. */
  release(): void {
    this.#usedByApplied = 0
    this.#releaseUnapplied()
  }

  #releaseUnapplied(): void {
    for (const value of this.#used.splice(this.#usedByApplied)) value.release()
  }

  #refuse(refused: WriteRefused): WriteRefused {
    const top = this.#top
    this.#releaseUnapplied()
    // The map may have met heads that came with the refused write, or lost sight of those that stay.
    if (top.grown || top.gone > 0) this.#heads.clear()
    top.settle()
    return refused
  }

  #judge({ judge }: TreeWrite, top: Layer): WriteRefused | undefined {
    if (judge === undefined) return undefined
    const before = viewOf(this.#layer)
    const after = viewOf(top)
    try {
      const error = judge(before, after, this.#now)
      return error && { ok: false, error }
    } finally {
      before.close()
      after.close()
    }
  }

  #etag(path: Path): string {
    const found = this.#view.find(path) ?? TreeValue.null
    return found instanceof Head ? etagOfBlocks(this.#blocks(found)) : etagOfValue(found)
  }

  #blocks(found: Head): JsonBlocks {
    // What lies under a head is read from LMDB in pieces, so that it must be there first.
    storeLayer(this.#lmdb, this.#layer, this.#state.counters)
    return jsonBlocks(this.#lmdb, found, 'export', undefined)
  }

  /** Writes the pairs into a layer and says what they came to. */
  #writePairs(write: TreeWrite, top: Layer): Written {
    const rows = this.#rows
    // Everything is computed from the tree before the write, so all of it before the first change.
    const resolved = write.pairs.map(({ path, value }) => {
      this.#lmdb.progressed()
      return resolveValue(this.#resolving, path, value)
    })
    const taken = this.#roomFor(write, resolved)
    const values: (TreeValue | undefined)[] = []
    const pairs: ChangePair[] = []
    let room = LOGGED_TEXT_MAX_LENGTH
    for (let index = 0; index < resolved.length; index++) {
      this.#lmdb.progressed()
      const value = resolved[index]!
      const { path } = write.pairs[index]!
      if (value instanceof TreeValue) {
        if (setValue(rows, path, value)) {
          const pair = loggedPair(path, value, room)
          room -= pair.value?.text.length ?? 0
          pairs.push(pair)
        }
        values.push(value)
      } else {
        rows.link(path, value.head, (one) => value.indexed.has(path, one))
        const view = new EntryView(top, this.#heads)
        for (const [below, sum] of value.sums) {
          this.#lmdb.progressed()
          setValue(rows, below, ranked(sum, view.get(below)))
        }
        pairs.push({ path, value: undefined })
        values.push(undefined)
      }
    }
    return { values, pairs, taken }
  }

  /**
   * The bytes that a write takes; `undefined` where there is no room for them and it may pass all the same.
   * @throws {TreeError} `ERR_STORE_FULL` when what it adds is more than may be stored.
   */
  #roomFor({ pairs }: TreeWrite, values: readonly ResolvedValue[]): number | undefined {
    if (this.#room === Infinity) return 0
    const added = addedBytes(pairs, values)
    if (added <= this.#room) return added
    // What adds nothing to the tree must be possible when there is no room: otherwise nobody could make any. Its
    // entry in the change log takes the place of older ones, so that it can be repeated for ever.
    if (!values.every((value, index) => this.#isNoLarger(pairs[index]!.path, value))) {
      throw new TreeError('ERR_STORE_FULL', 'Cannot write: the data has reached maxBytes')
    }
    return undefined
  }

  /** Whether a value takes no more than what it replaces. Reads no more of that than the value has. */
  #isNoLarger(path: Path, value: ResolvedValue): boolean {
    // What is staged has its rows already: there was room for them.
    if (!(value instanceof TreeValue) || value.isNull) return true
    const found = this.#view.find(path)
    if (found === undefined) return false
    let left = Buffer.byteLength(value.text)
    if (!(found instanceof Head)) return left <= Buffer.byteLength(found.text)
    for (const block of this.#blocks(found)) {
      left -= block.length
      if (left <= 0) return true
    }
    return false
  }

  /** Logs a change; one that changed nothing has no number. */
  #record(pairs: readonly ChangePair[], update: Path | undefined): number | undefined {
    if (pairs.length === 0) return undefined
    if (!this.#log.hasRoom(pairs)) this.#state.log = this.#log.flush(this.#state.log)
    const change = this.#log.append(++this.#sequence, this.#now, pairs, update)
    this.changes.push(change)
    return change.sequence
  }
}

type ResolvedValue = TreeValue | ResolvedStaged

/** Bytes of paths and values that a write adds: to the tree, and again to the change log. */
function addedBytes(pairs: readonly WritePair[], values: readonly ResolvedValue[]): number {
  let bytes = 0
  let room = LOGGED_TEXT_MAX_LENGTH
  for (const [index, value] of values.entries()) {
    const pathBytes = Buffer.byteLength(pairs[index]!.path)
    bytes += pathBytes
    if (!(value instanceof TreeValue) || value.isNull) continue
    const { text } = value
    const textBytes = Buffer.byteLength(text)
    bytes += pathBytes + textBytes
    if (!isLogged(value, room)) continue
    room -= text.length
    bytes += textBytes
  }
  return bytes
}

interface Written {
  readonly values: (TreeValue | undefined)[]
  readonly pairs: ChangePair[]
  /** Bytes that it took of the room; `undefined` where there was none. */
  readonly taken: number | undefined
}

/** Writes a value, or a priority where the path says so. @returns whether anything changed. */
function setValue(rows: RowWriter, path: Path, value: TreeValue): boolean {
  const { path: nodePath, priority } = splitPriorityPath(path)
  if (!priority) return rows.set(path, value)
  const { node } = value
  if (typeof node !== 'string' && typeof node !== 'number' && node !== null) {
    throw invalidPriority(path)
  }
  return rows.setPriority(nodePath, node)
}

/** A value with the priority of the one that stood in for it. */
function ranked(value: TreeValue, standIn: TreeValue): TreeValue {
  const priority = priorityOfRow(standIn)
  return priority === null ? value : TreeValue.fromNode(withPriority(value.node, priority))
}

function viewOf(layer: Layer): EntryView {
  // A map of its own: the writer's may hold heads that are not in this layer yet, or not any more.
  return new EntryView(layer, new Map())
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('Cannot write: it threw', { cause: error })
}
