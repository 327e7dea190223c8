import { TreeError, TreeValue, pathsConflict } from '@elkyn/tree'
import type { Change, KnownEtag, Path, Precondition, WriteRefused } from '@elkyn/tree'
import { strongest } from './bearing.ts'
import type { Bearing } from './bearing.ts'
import type { ChangeLog } from './change-log.ts'
import { ChangedPaths } from './changed-paths.ts'
import type { EntryView } from './entry-view.ts'
import { etagOfValue } from './etag.ts'

/** What conditions are held against: the batch before the write at hand. */
export interface ConditionedBatch {
  readonly log: ChangeLog
  /** Number of the last change before the batch. */
  readonly begin: number
  /** What the batch has changed so far. */
  readonly changes: readonly Change[]
  /** A value with up to so much text is compared, and handed back, on the spot. */
  readonly comparedMaxLength: number
  /** The tree with that. */
  readonly view: EntryView
  /** Makes the etag of a large value, which takes as long as the value is large. */
  readonly etagOf: (path: Path) => string
}

/** Of more than 16,383 UTF-16 units V8 finds texts in a map by their lengths alone: no paths of that length are remembered. */
const maxRememberedLength = 1000

/** So often the log is read for one condition, which takes less time than to gather what it says for all, */
const MOST_LOOKED_UP = 4
/** of no more places than this. */
const MOST_GATHERED = 250_000

/** Compares what is there with what writes expect. */
export class BatchConditions {
  readonly #batch: ConditionedBatch
  /** What was changed, as far as somebody has asked: */
  readonly #changed = new ChangedPaths()
  /** by so many changes of the batch, */
  #seen = 0
  /** and by those before it that came after this number. */
  #gatheredSince: number
  /** How often somebody has asked for more. */
  #asked = 0
  /**
   * Places of large values, with how many changes there were when that was found out: to do so again takes as long as a
   * long text takes to be read.
   */
  readonly #large = new Map<Path, number>()

  constructor(batch: ConditionedBatch) {
    this.#batch = batch
    this.#gatheredSince = batch.begin
  }

  /**
   * What to answer where a condition fails.
   *
   * @param looked What a snapshot said of it, where the write does not bring that itself.
   */
  check(
    precondition: Precondition | undefined,
    looked: KnownEtag | undefined,
  ): WriteRefused | undefined {
    if (precondition === undefined) return undefined
    const { path, etag: expected } = precondition
    const value = this.#smallValue(path)
    if (value === undefined) return this.#checkLarge(precondition, looked)
    const etag = etagOfValue(value)
    if (etag === expected) return undefined
    return { ...conditionFailed(path), current: { etag, value } }
  }

  /** The value at a path, where it is small enough to be compared on the spot. */
  #smallValue(path: Path): TreeValue | undefined {
    const { view, changes, comparedMaxLength } = this.#batch
    const since = this.#large.get(path)
    const isLarge = since !== undefined && !changes.slice(since).some(touches(path))
    const value = isLarge
      ? undefined
      : view.valueUpTo(view.find(path) ?? TreeValue.null, comparedMaxLength)
    if (value === undefined && path.length <= maxRememberedLength) {
      this.#large.set(path, changes.length)
    }
    return value
  }

  /** Whoever knew the etag a moment ago spares the writer the time that it takes to make it. */
  #checkLarge(
    { path, etag, known: given }: Precondition,
    looked: KnownEtag | undefined,
  ): WriteRefused | undefined {
    const known = given ?? looked
    if (known !== undefined) {
      if (known.etag !== etag) return conditionFailed(path)
      const bearing = this.#bearingSince(known.sequence, path)
      if (bearing === 'none') return undefined
      // Right behind that change, if not before, it was another value.
      if (bearing === 'within') return conditionFailed(path)
      if (given !== undefined) return conditionStale(path)
    }
    return this.#batch.etagOf(path) === etag ? undefined : conditionFailed(path)
  }

  /** How all changes since bear on what is at a path; `undefined` when the log does not say. */
  #bearingSince(sequence: number, path: Path): Bearing | undefined {
    const { log, begin, changes } = this.#batch
    if (sequence < 0 || sequence > begin) return undefined
    for (; this.#seen < changes.length; this.#seen++) this.#gather(changes[this.#seen]!)
    if (this.#hasAllSince(sequence)) return this.#changed.bearingSince(sequence + 1, path)
    const bearings = [this.#changed.bearingSince(begin + 1, path)]
    for (const bearing of log.bearingsAfter(sequence, path, undefined)) {
      if (bearing === undefined || bearing === 'within') return bearing
      bearings.push(bearing)
    }
    return strongest(bearings)
  }

  #gather({ sequence, pairs }: Change): void {
    for (const { path } of pairs) this.#changed.add(sequence, path)
  }

  /** Whether all changes since are gathered. Those of the log are, if this is asked often. */
  #hasAllSince(sequence: number): boolean {
    if (sequence >= this.#gatheredSince) return true
    if (this.#asked++ < MOST_LOOKED_UP || this.#changed.size >= MOST_GATHERED) return false
    const { log } = this.#batch
    for (const found of log.pathsBetween(sequence, this.#gatheredSince, undefined)) {
      if (found === undefined) return false
      this.#changed.add(...found)
      if (this.#changed.size >= MOST_GATHERED) return false
    }
    this.#gatheredSince = sequence
    return true
  }
}

/** Whether a change may have made another value of what is at a path. */
function touches(path: Path): (change: Change) => boolean {
  return ({ pairs }) => pairs.some((pair) => pathsConflict(pair.path, path))
}

/** Whether a write was refused only because too little is known of what it depends on. */
export function isStale({ error }: WriteRefused): boolean {
  return error instanceof TreeError && error.code === 'ERR_CONDITION_STALE'
}

function conditionFailed(path: Path): WriteRefused {
  const message = `Cannot write: ${path} has changed`
  return { ok: false, error: new TreeError('ERR_CONDITION_FAILED', message, { path }) }
}

function conditionStale(path: Path): WriteRefused {
  const message = `Cannot write: what is known of ${path} is too old. Read its etag again`
  return { ok: false, error: new TreeError('ERR_CONDITION_STALE', message, { path }) }
}
