import { copyInto } from './copy-bytes.ts'
import type { DiskRoom } from './disk-room.ts'
import { tracked } from './lmdb-iterators.ts'
import type { ByteTable, ReadOptions, Table } from './lmdb-types.ts'

/** An entry of the log. Its value lies in memory that is used for the next one again. */
export interface LogRow {
  readonly key: Uint8Array
  readonly value: Buffer
}

/** Memory that entries of all but the largest fit in. */
const likelyBytes = 16 * 1024

/** The table of the change log. */
export class LogTable {
  readonly #table: ByteTable
  /** The same entries, whose values go into the memory of who reads them: new memory for each takes most of the time. */
  readonly #scanned: Table<Uint8Array, never>
  /** The scan that goes on now: lmdb's decoder gets only the value. */
  #scan: LogScan | undefined

  readonly #room: () => DiskRoom

  /**
   * @param open Opens the table with these options.
   * @param room Is told of each put and removal before. Both go through the log in order.
   */
  constructor(open: (options: object) => never, room: () => DiskRoom) {
    this.#room = room
    this.#table = open({ encoding: 'binary', keyEncoding: 'binary' })
    const decode = (bytes: Uint8Array, size: number): Buffer => this.#scan!.take(bytes, size)
    this.#scanned = open({ encoder: { copyBuffers: true, decode }, keyEncoding: 'binary' })
  }

  get db(): ByteTable['db'] {
    return this.#table.db
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#room().spendAtEnd(value.length)
    this.#table.put(key, value)
  }

  remove(key: Uint8Array): void {
    this.#room().spendInOrder()
    this.#table.remove(key)
  }

  keys(range: object): Iterator<Uint8Array> {
    return this.#table.getKeys(range).iterate()
  }

  /** Walks over entries, each of which holds until the next step. */
  scan(range: object, options: ReadOptions | undefined): Iterator<LogRow, void> {
    const rows = this.#scanned.getRange({ ...range, ...options }).iterate()
    return new LogScan(tracked(rows as Iterator<LogRow>, options), (scan) => (this.#scan = scan))
  }
}

class LogScan implements Iterator<LogRow, void> {
  readonly #rows: Iterator<LogRow>
  readonly #onStep: (scan: LogScan) => void
  #memory: Buffer | undefined

  constructor(rows: Iterator<LogRow>, onStep: (scan: LogScan) => void) {
    this.#rows = rows
    this.#onStep = onStep
  }

  next(): IteratorResult<LogRow, void> {
    this.#onStep(this)
    return this.#rows.next()
  }

  return(): IteratorResult<LogRow, void> {
    this.#rows.return?.()
    return { done: true, value: undefined }
  }

  /** Takes a value out of the buffer that the next reading overwrites. */
  take(bytes: Uint8Array, size: number): Buffer {
    const memory = this.#memoryFor(size)
    copyInto(bytes, 0, size, memory, 0)
    return memory.length === size ? memory : memory.subarray(0, size)
  }

  #memoryFor(size: number): Buffer {
    if (this.#memory !== undefined && size <= this.#memory.length) return this.#memory
    // Most look at one entry, and it is small. A large one is given back by its memory, which has to be its own.
    const isSoleLikely = this.#memory === undefined && size <= likelyBytes
    this.#memory = isSoleLikely
      ? Buffer.allocUnsafe(size)
      : Buffer.allocUnsafeSlow(Math.max(size, likelyBytes))
    return this.#memory
  }
}
