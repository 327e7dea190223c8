import type { IndexValue } from '@elkyn/tree'
import { copyOf } from './copy-bytes.ts'
import { writeIndexKey } from './index-key.ts'
import { counted, tracked } from './lmdb-iterators.ts'
import type { ByteTable, ReadOptions } from './lmdb-types.ts'

/** Is told of the work that the table does. */
interface WorkCount {
  readonly onRead: () => void
  /**
   * @param keyLength in characters
   * @param bytes of what is put; 0 where something is removed
   */
  readonly onWrite: (keyLength: number, bytes: number) => void
}

/** The entries of all indexes, which have keys and no values. */
export class IndexTable {
  readonly #table: ByteTable | undefined
  readonly #onRead: () => void
  readonly #onWrite: WorkCount['onWrite']
  /** The entry that is put or removed next: lmdb's key callback gets only a key. */
  #head = 0
  #index = 0
  #value: IndexValue = null
  #name = ''

  /** @param open Opens the table with these options; `undefined` where there is none, and none may be made. */
  constructor(open: (options: object) => ByteTable | undefined, { onRead, onWrite }: WorkCount) {
    const keyEncoder = { writeKey: this.#writeKey, readKey: copyOf }
    this.#table = open({ keyEncoder, encoding: 'binary' })
    this.#onRead = onRead
    this.#onWrite = onWrite
  }

  get db(): ByteTable['db'] | undefined {
    return this.#table?.db
  }

  put(head: number, index: number, value: IndexValue, name: string): void {
    this.#setEntry(head, index, value, name)
    this.#onWrite(lengthOf(value, name), KEY_HEAD_BYTES)
    this.#opened.put(ENTRY, NO_BYTES)
  }

  remove(head: number, index: number, value: IndexValue, name: string): void {
    this.#setEntry(head, index, value, name)
    this.#onWrite(lengthOf(value, name), 0)
    this.#opened.remove(ENTRY)
  }

  removeKey(key: Uint8Array): void {
    this.#onWrite(key.length, 0)
    this.#opened.remove(key)
  }

  /** Keys from `start` up to, not including, `end`; or from the last to the first of them. */
  keys(
    start: Buffer,
    end: Buffer,
    reverse: boolean,
    options: ReadOptions | undefined,
    limit?: number,
  ): Iterator<Uint8Array> {
    const bounds = reverse
      ? { start: end, end: start, reverse: true, exclusiveStart: true, inclusiveEnd: true }
      : { start, end }
    const keys = this.#opened
      .getKeys({ ...bounds, ...options, ...(limit === undefined ? {} : { limit }) })
      .iterate()
    return counted(tracked(keys, options), this.#onRead)
  }

  /** Number of keys from `start` up to, not including, `end`. */
  count(start: Buffer, end: Buffer, options: ReadOptions | undefined): number {
    return this.#opened.getKeysCount({ start, end, ...options })
  }

  get #opened(): ByteTable {
    if (this.#table === undefined) {
      throw new TypeError('Cannot use an index: it came after this thread had opened the folder')
    }
    return this.#table
  }

  #setEntry(head: number, index: number, value: IndexValue, name: string): void {
    this.#head = head
    this.#index = index
    this.#value = value
    this.#name = name
  }

  readonly #writeKey = (key: Uint8Array, target: Uint8Array, start: number): number => {
    if (key === ENTRY) {
      return writeIndexKey(this.#head, this.#index, this.#value, this.#name, target, start)
    }
    target.set(key, start)
    return start + key.length
  }
}

/** Characters of a key, or more: of a long text it has only the beginning. */
function lengthOf(value: IndexValue, name: string): number {
  return name.length + (typeof value === 'string' ? Math.min(value.length, TEXT_MAX_LENGTH) : 8)
}

/** What a key has beside value and name. */
const KEY_HEAD_BYTES = 16

/** A key has no more of a text. */
const TEXT_MAX_LENGTH = 512

const NO_BYTES = new Uint8Array(0)
/** Stands for the key that fields say. */
const ENTRY = new Uint8Array(0)
