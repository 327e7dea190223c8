import { rootPath } from '@elkyn/tree'
import type { ChangePair, Path } from '@elkyn/tree'
import { writeText } from './buffer-text.ts'
import { Kind, writeHeadNumber } from './entry.ts'
import {
  CHANGE_HEADER_BYTES,
  COUNT_OFFSET,
  HEADER_BYTES,
  HOLE,
  MARK_OFFSET,
  PAIR_HEADER_BYTES,
  TIME_OFFSET,
  UPDATE_BIT,
  UPDATE_BYTES,
} from './log-format.ts'

/** Changes share an entry of up to so many bytes: sealed and with LMDB's header, just four pages. */
const ENTRY_BYTES = 16 * 1024 - 64
const ENTRY_MAX_CHANGES = 0xffff
/** A buffer for a larger entry than usual is kept up to so many bytes. */
const KEPT_BYTES = 1024 * 1024

/** Makes entries of the change log, one after the other. */
export class LogEntryWriter {
  #entry: Buffer = emptyEntry()
  #end = HEADER_BYTES
  /** How many changes were added to the entry. */
  changes = 0

  /** Bytes of the entry. */
  get length(): number {
    return this.#end
  }

  /** Begins an empty entry. */
  begin(): void {
    if (this.#entry.length > KEPT_BYTES) this.#entry = emptyEntry()
    this.#end = HEADER_BYTES
    this.changes = 0
  }

  /** Whether a change belongs into the same entry as those before it. */
  hasRoom(pairs: readonly ChangePair[]): boolean {
    if (this.changes === 0) return true
    return this.changes < ENTRY_MAX_CHANGES && this.#end + likelyBytes(pairs) <= ENTRY_BYTES
  }

  add(time: number, mark: number, pairs: readonly ChangePair[], update: Path | undefined): void {
    const start = this.#end
    this.#reserve(pairs)
    const target = this.#entry
    let end = start + CHANGE_HEADER_BYTES
    if (update !== undefined) {
      const length = update === rootPath ? 0 : Buffer.byteLength(update)
      end = target.writeUInt16BE(length, end)
    }
    for (const pair of pairs) end = encodePair(pair, target, end)
    const flag = update === undefined ? 0 : UPDATE_BIT
    target.writeUInt32BE(end - start - 4 + flag, start)
    writeHeadNumber(time, target, start + TIME_OFFSET)
    target.writeInt32BE(mark, start + MARK_OFFSET)
    this.#end = end
    this.changes++
  }

  /**
   * The entry, which holds until the next one is begun.
   *
   * @param bytes Those of all entries ever logged, this one included.
   */
  finish(bytes: number): Buffer {
    writeHeadNumber(bytes, this.#entry, 0)
    this.#entry.writeUInt16BE(this.changes, COUNT_OFFSET)
    return this.#entry.subarray(0, this.#end)
  }

  #reserve(pairs: readonly ChangePair[]): void {
    let most = this.#end + CHANGE_HEADER_BYTES + UPDATE_BYTES
    for (const { path, value } of pairs) {
      most +=
        PAIR_HEADER_BYTES + path.length * 3 + (value === undefined ? 0 : value.text.length * 3)
    }
    if (most <= this.#entry.length) return
    const larger = Buffer.alloc(most)
    this.#entry.copy(larger, 0, 0, this.#end)
    this.#entry = larger
  }
}

function emptyEntry(): Buffer {
  return Buffer.alloc(4 * ENTRY_BYTES)
}

/** Bytes of a change whose text is ASCII; a little more than that is no harm. */
function likelyBytes(pairs: readonly ChangePair[]): number {
  let bytes = CHANGE_HEADER_BYTES + UPDATE_BYTES
  for (let index = 0; index < pairs.length; index++) {
    const { path, value } = pairs[index]!
    bytes += PAIR_HEADER_BYTES + path.length + (value === undefined ? 0 : value.text.length)
  }
  return bytes
}

function encodePair({ path, value }: ChangePair, target: Buffer, start: number): number {
  const pathEnd = writeText(path, target, start + PAIR_HEADER_BYTES)
  const end = value === undefined ? pathEnd : writeText(value.text, target, pathEnd)
  target.writeUInt16BE(pathEnd - start - PAIR_HEADER_BYTES, start)
  target[start + 2] =
    value === undefined ? HOLE : value.form === 'export' ? Kind.export : Kind.plain
  target.writeUInt32BE(end - pathEnd, start + 3)
  return end
}
