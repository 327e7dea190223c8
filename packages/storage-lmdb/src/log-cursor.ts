import type { Change, ChangeCursor, StoredPair } from '@elkyn/tree'
import { changeId, writeChangeId } from './change-id.ts'
import { Kind } from './entry.ts'
import type { LogEntry } from './log-entry.ts'
import {
  CHANGE_HEADER_BYTES,
  HEADER_BYTES,
  MARK_OFFSET,
  PAIR_HEADER_BYTES,
  UPDATE_BIT,
} from './log-format.ts'
import { EntryBytes, StoredChange } from './stored-change.ts'

const nothing = Buffer.alloc(0)

/**
 * Goes through the entries of the log change by change. To hand out an object for each takes longer than to
 * copy what is in it.
 */
export class LogCursor implements ChangeCursor, StoredPair {
  readonly #entries: Iterator<LogEntry, void>
  readonly #epoch: string
  readonly #epochBytes: Uint8Array
  readonly #from: number
  #entry: EntryBytes | undefined
  #sequence = 0
  /** Where the change lies in its entry. */
  #start = 0
  #end = 0
  #isSolePair = false
  bytes: Buffer = nothing
  pathStart = 0
  pathEnd = 0

  /**
   * @param entries From that on which holds the first change.
   * @param from Number of the first change.
   */
  constructor(
    entries: Iterator<LogEntry, void>,
    epoch: string,
    epochBytes: Uint8Array,
    from: number,
  ) {
    this.#entries = entries
    this.#epoch = epoch
    this.#epochBytes = epochBytes
    this.#from = from
  }

  next(): boolean {
    if (this.#end === this.bytes.length && !this.#begin()) return false
    do {
      this.#sequence++
      this.#start = this.#end
      this.#look()
    } while (this.#sequence < this.#from)
    return true
  }

  get change(): Change {
    this.#entry ??= new EntryBytes(Buffer.from(this.bytes), this.#epoch)
    return new StoredChange(this.#entry, this.#sequence, this.#start, this.#end)
  }

  get sequence(): number {
    return this.#sequence
  }

  /** The id of the change, for whoever wants nothing else of it. */
  get id(): string {
    return changeId(this.#epoch, this.#sequence, this.#mark)
  }

  get #mark(): number {
    return wordAt(this.bytes, this.#start + MARK_OFFSET)
  }

  get pair(): StoredPair | undefined {
    return this.#isSolePair ? this : undefined
  }

  get textEnd(): number {
    return this.#end
  }

  writeId(target: Uint8Array, start: number): number {
    return writeChangeId(this.#epochBytes, this.#sequence, this.#mark, target, start)
  }

  [Symbol.dispose](): void {
    this.#end = this.bytes.length
    this.#entries.return?.()
  }

  /** Begins the next entry. */
  #begin(): boolean {
    const { done, value } = this.#entries.next()
    if (done === true) return false
    this.#entry = undefined
    this.bytes = value.value
    this.#sequence = value.first - 1
    this.#end = HEADER_BYTES
    return true
  }

  /** Reads what the change at `#start` is. */
  #look(): void {
    const { bytes } = this
    const start = this.#start
    const head = wordAt(bytes, start)
    const end = start + 4 + (head & ~UPDATE_BIT)
    const pair = start + CHANGE_HEADER_BYTES
    const pathStart = pair + PAIR_HEADER_BYTES
    this.#end = end
    this.#isSolePair = false
    // The bit of an update is that of the sign.
    if (head < 0 || pathStart > end || bytes[pair + 2] !== Kind.plain) return
    const pathEnd = pathStart + ((bytes[pair]! << 8) | bytes[pair + 1]!)
    if (pathEnd + wordAt(bytes, pair + 3) !== end) return
    this.pathStart = pathStart
    this.pathEnd = pathEnd
    this.#isSolePair = true
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

/** The four bytes there as a signed number. `readInt32BE()` checks what needs no check here. */
function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}
