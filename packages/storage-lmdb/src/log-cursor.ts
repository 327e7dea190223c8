import type { Change, ChangeCursor, PairFrame, PairTarget } from '@elkyn/tree'
import { changeId } from './change-id.ts'
import { giveBack } from './give-back.ts'
import type { LogEntry } from './log-entry.ts'
import { CHANGE_HEADER_BYTES, HEADER_BYTES, MARK_OFFSET, changeBytes } from './log-format.ts'
import { PairCopier } from './pair-copier.ts'
import type { EntryPlace } from './pair-copier.ts'
import { EntryBytes, StoredChange } from './stored-change.ts'

const nothing = Buffer.alloc(0)

/**
 * Goes through the entries of the log change by change. To hand out an object for each takes longer than to
 * copy what is in it.
 */
export class LogCursor implements ChangeCursor {
  readonly #entries: Iterator<LogEntry, void>
  readonly #epoch: string
  readonly #from: number
  #bytes: Buffer = nothing
  #entry: EntryBytes | undefined
  /** Where the change is in its entry. */
  readonly #place: EntryPlace = { start: 0, end: 0, sequence: 0 }
  #copier: PairCopier | undefined
  /** Bytes of the entries before. */
  #bytesBefore = 0

  /**
   * @param entries From that on which holds the first change.
   * @param from Number of the first change.
   */
  constructor(entries: Iterator<LogEntry, void>, epoch: string, from: number) {
    this.#entries = entries
    this.#epoch = epoch
    this.#from = from
  }

  next(): boolean {
    const place = this.#place
    if (place.end === this.#bytes.length && !this.#begin()) return false
    do {
      place.sequence++
      place.start = place.end
      place.end += changeBytes(this.#bytes.readInt32BE(place.start))
    } while (place.sequence < this.#from)
    return true
  }

  get change(): Change {
    const { start, end, sequence } = this.#place
    this.#entry ??= new EntryBytes(Buffer.from(this.#bytes), this.#epoch)
    return new StoredChange(this.#entry, sequence, start, end)
  }

  get bytes(): number {
    return this.#place.end - this.#place.start
  }

  get bytesRead(): number {
    return this.#bytesBefore + this.#place.end
  }

  get sequence(): number {
    return this.#place.sequence
  }

  /** The id of the change, for whoever wants nothing else of it. */
  get id(): string {
    const { start, sequence } = this.#place
    return changeId(this.#epoch, sequence, this.#bytes.readInt32BE(start + MARK_OFFSET))
  }

  copyPairs(frame: PairFrame, target: PairTarget, most: number): number {
    if (this.#copier?.frame !== frame) this.#copier = new PairCopier(frame, this.#epoch)
    return this.#copier.copy(this.#bytes, this.#place, target, most)
  }

  idle(): void {
    const bytes = this.#bytes
    const place = this.#place
    // Whoever goes on in it needs it. A large one has no more than this change.
    if (place.end < bytes.length) return
    this.#bytes = Buffer.from(bytes.subarray(place.start, place.start + CHANGE_HEADER_BYTES))
    this.#bytesBefore += place.end - this.#bytes.length
    place.start = 0
    place.end = this.#bytes.length
    this.#entry = undefined
    giveBack(bytes)
  }

  [Symbol.dispose](): void {
    this.#place.end = this.#bytes.length
    this.#entries.return?.()
  }

  /** Begins the next entry. */
  #begin(): boolean {
    const { done, value } = this.#entries.next()
    if (done === true) return false
    this.#entry = undefined
    this.#bytesBefore += this.#bytes.length
    this.#bytes = value.value
    this.#place.sequence = value.first - 1
    this.#place.end = HEADER_BYTES
    return true
  }
}

/** The changes that a cursor goes to, as objects. */
export class CursorChanges implements IterableIterator<Change, undefined, undefined> {
  readonly #cursor: LogCursor

  constructor(cursor: LogCursor) {
    this.#cursor = cursor
  }

  next(): IteratorResult<Change, undefined> {
    const cursor = this.#cursor
    return cursor.next() ? { done: false, value: cursor.change } : { done: true, value: undefined }
  }

  return(): IteratorResult<Change, undefined> {
    this.#cursor[Symbol.dispose]()
    return { done: true, value: undefined }
  }

  [Symbol.iterator](): this {
    return this
  }
}
