import { pathsConflict } from '@elkyn/tree'
import type { KnownEtag, Path, Precondition, TreeWrite, WriteOutcome } from '@elkyn/tree'
import { isStale, maxRememberedLength } from './batch-conditions.ts'
import type { ChangeLog } from './change-log.ts'
import { StorageError } from './errors.ts'
import type { ReadSnapshot } from './read-snapshot.ts'
import type { Readers } from './readers.ts'
import { TimeSlices } from './time-slices.ts'
import type { WriteQueue } from './write-queue.ts'

/** How often the value of a precondition is digested between other writes, because it keeps changing. */
const ROUNDS = 4

/** Before all changes, and not what any log goes back to. */
const NEVER = -1

/** What conditions need of the store. */
export interface ConditionContext {
  readonly log: ChangeLog
  readonly readers: Readers
  readonly queue: WriteQueue
  /** Text up to which a value is compared within the write. */
  readonly comparedMaxLength: number
  readonly openSnapshot: () => ReadSnapshot
}

/**
 * Digests the large values of preconditions in snapshots, so that no write transaction has to: it looks
 * only whether something has changed there since.
 */
export class LargeConditions {
  readonly #context: ConditionContext
  readonly #slices: TimeSlices = new TimeSlices()
  /** Writes that wait for a digest, or for what follows. */
  #goingRound = 0

  constructor(context: ConditionContext) {
    this.#context = context
  }

  /** Queues a write; where its precondition is about a large value, finds out about that between others. */
  async write(write: TreeWrite): Promise<WriteOutcome> {
    const { precondition } = write
    if (precondition === undefined || precondition.known !== undefined) {
      return this.#context.queue.add(write)
    }
    this.#goingRound++
    try {
      return await this.#goRound(write, precondition)
    } finally {
      this.#goingRound--
    }
  }

  /** What a snapshot says of the preconditions about large values, by the index of the write. */
  lookAhead(writes: readonly TreeWrite[]): readonly (KnownEtag | undefined)[] | undefined {
    if (!writes.some(isUnknown)) return undefined
    using snapshot = this.#context.openSnapshot()
    const looked = new Map<Path, KnownEtag | undefined>()
    const look = (path: Path): KnownEtag | undefined => {
      if (looked.has(path)) return looked.get(path)
      const known = this.#look(snapshot, path)
      if (path.length <= maxRememberedLength) looked.set(path, known)
      return known
    }
    return writes.map((write, index) => {
      const { precondition } = write
      if (precondition === undefined || !isUnknown(write)) return undefined
      const { path } = precondition
      // What another one of them changes no snapshot has seen.
      if (writes.slice(0, index).some((before) => bearsOn(before, path))) return undefined
      return look(path)
    })
  }

  #look(snapshot: ReadSnapshot, path: Path): KnownEtag | undefined {
    try {
      if (!snapshot.isLonger(path, this.#context.comparedMaxLength)) return undefined
      return { etag: snapshot.etag(path), sequence: snapshot.sequence }
    } catch {
      // The write by itself meets it again, and fails alone.
      return undefined
    }
  }

  /**
   * Brings the writes that are going round to their end, without waiting for turns of the event loop.
   * @param commitWaiting Commits all that is queued.
   */
  async finish(commitWaiting: () => void): Promise<void> {
    while (this.#goingRound > 0) {
      this.#slices.finish()
      commitWaiting()
      // One step of those that wait for this.
      await Promise.resolve()
    }
  }

  async #goRound(write: TreeWrite, precondition: Precondition): Promise<WriteOutcome> {
    const { path, etag } = precondition
    const { queue } = this.#context
    const tried = async (known: KnownEtag): Promise<WriteOutcome> =>
      queue.add({ ...write, precondition: { path, etag, known } })
    let outcome = await tried({ etag, sequence: NEVER })
    for (let round = 0; round < ROUNDS && isUndecided(outcome); round++) {
      const known = await this.#slices.run(this.#readableEtag(path))
      outcome = known instanceof StorageError ? { ok: false, error: known } : await tried(known)
    }
    return isUndecided(outcome) ? queue.add(write) : outcome
  }

  /** The etag of a large value, and up to when it is known to be this one. */
  *#knownEtag(path: Path): Generator<void, KnownEtag, void> {
    const known = yield* this.#digest(path)
    const { log, readers } = this.#context
    // So that the writer has little left to look through.
    const reader = readers.acquire()
    try {
      for (const bearing of log.bearingsAfter(known.sequence, path, reader.options)) {
        if (bearing !== 'none') return known
        yield
      }
      return { etag: known.etag, sequence: log.position(reader.options).sequence }
    } finally {
      readers.release(reader)
    }
  }

  /** The same, or why the value cannot be read, which within a commit would fail the write alone, too. */
  *#readableEtag(path: Path): Generator<void, KnownEtag | StorageError, void> {
    try {
      return yield* this.#knownEtag(path)
    } catch (error) {
      if (error instanceof StorageError) return error
      throw error
    }
  }

  *#digest(path: Path): Generator<void, KnownEtag, void> {
    using snapshot = this.#context.openSnapshot()
    const { sequence } = snapshot
    return { etag: yield* snapshot.etagSteps(path), sequence }
  }
}

/** Whether what was known of a precondition was too little to tell. */
function isUndecided(outcome: WriteOutcome): boolean {
  return !outcome.ok && isStale(outcome)
}

/** Whether a write has a precondition, and nothing is known about that. */
function isUnknown({ precondition }: TreeWrite): boolean {
  return precondition !== undefined && precondition.known === undefined
}

function bearsOn({ pairs }: TreeWrite, path: Path): boolean {
  return pairs.some((pair) => pathsConflict(pair.path, path))
}
