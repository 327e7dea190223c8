import { TreeError, TreeValue, isPriorityPath, pathsConflict } from '@elkyn/tree'
import type { Change, KnownEtag, Path, Precondition, TreeWrite, WriteRefused } from '@elkyn/tree'
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
  /** All that belongs to the batch. */
  readonly writes: readonly TreeWrite[]
  /** What it has changed so far. */
  readonly changes: readonly Change[]
  /** A value with up to so much text is compared, and handed back, on the spot. */
  readonly comparedMaxLength: number
  /** The tree with that. */
  readonly view: EntryView
  /** Makes the etag of a large value, which takes as long as the value is large. */
  readonly etagOf: (path: Path) => string
}

/** Of more than 16,383 UTF-16 units V8 finds texts in a map by their lengths alone: no paths of that length are remembered. */
export const maxRememberedLength = 1000

/** What was made of a large value. */
interface Digest {
  readonly etag: string
  /** With so many changes of the batch it was, or is still, the etag. */
  changes: number
}

/** Compares what is there with what writes expect. */
export class BatchConditions {
  readonly #batch: ConditionedBatch
  /** What was changed, as far as somebody has asked: */
  #changed: ChangedPaths | undefined
  /** by so many changes of the batch, */
  #seen = 0
  /** and by those before it that came after this number. */
  #seenSince: number
  /**
   * Places of large values, with how many changes there were when that was found out: to do so again takes as long as a
   * long text takes to be read.
   */
  readonly #large = new Map<Path, number>()
  /** Many that were asked for at once may depend on the same value. */
  readonly #digests = new Map<Path, Digest>()

  constructor(batch: ConditionedBatch) {
    this.#batch = batch
    this.#seenSince = batch.begin
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
    if (value === undefined && isRemembered(path)) {
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
    return this.#etag(path) === etag ? undefined : conditionFailed(path)
  }

  /** The etag of a large value as the writes before have left it. */
  #etag(path: Path): string {
    const { changes, etagOf } = this.#batch
    const last = this.#digests.get(path)
    if (last !== undefined && !changes.slice(last.changes).some(touches(path))) {
      last.changes = changes.length
      return last.etag
    }
    const etag = etagOf(path)
    if (isRemembered(path)) this.#digests.set(path, { etag, changes: changes.length })
    return etag
  }

  /** How all changes since bear on what is at a path; `undefined` when the log does not say. */
  #bearingSince(sequence: number, path: Path): Bearing | undefined {
    const { log, begin, writes, changes } = this.#batch
    if (sequence < 0 || sequence > begin) return undefined
    const changed = (this.#changed ??= new ChangedPaths(conditionPaths(writes)))
    for (; this.#seen < changes.length; this.#seen++) {
      const change = changes[this.#seen]!
      for (const pair of change.pairs) changed.add(change.sequence, pair.path)
    }
    if (sequence < this.#seenSince) {
      if (!log.addPathsTo(changed, sequence, this.#seenSince, undefined)) return undefined
      this.#seenSince = sequence
    }
    return changed.bearingSince(sequence + 1, path)
  }
}

function* conditionPaths(writes: readonly TreeWrite[]): Generator<Path, void, void> {
  for (const { precondition } of writes) {
    if (precondition !== undefined) yield precondition.path
  }
}

/** Whether changes say all about the value at a path: a priority goes with the last child of its node, too. */
function isRemembered(path: Path): boolean {
  return path.length <= maxRememberedLength && !isPriorityPath(path)
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
