import { TreeValue, rootPath } from '@elkyn/tree'
import type { Change, ChangePair, Path } from '@elkyn/tree'
import { textAt } from './buffer-text.ts'
import { changeId } from './change-id.ts'
import { formOfKind, readHeadNumber } from './entry.ts'
import {
  CHANGE_HEADER_BYTES,
  HOLE,
  MARK_OFFSET,
  PAIR_HEADER_BYTES,
  TIME_OFFSET,
  UPDATE_BIT,
  UPDATE_BYTES,
} from './log-format.ts'

/** A change as it lies in an entry of the log. What nobody asks for is not read. */
export class StoredChange implements Change {
  readonly sequence: number
  readonly #entry: EntryBytes
  /** Its place in the entry. */
  readonly #start: number
  readonly #end: number
  #pairs: readonly ChangePair[] | undefined

  constructor(entry: EntryBytes, sequence: number, start: number, end: number) {
    this.sequence = sequence
    this.#entry = entry
    this.#start = start
    this.#end = end
  }

  get time(): number {
    return readHeadNumber(this.#entry.bytes, this.#start + TIME_OFFSET)
  }

  get id(): string {
    return changeId(this.#entry.epoch, this.sequence, this.#mark)
  }

  get update(): Path | undefined {
    return updateAt(this.#entry.bytes, this.#start)
  }

  get pairs(): readonly ChangePair[] {
    const start = pairsStart(this.#entry.bytes, this.#start)
    return (this.#pairs ??= decodePairs(this.#entry, start, this.#end))
  }

  get #mark(): number {
    return this.#entry.bytes.readInt32BE(this.#start + MARK_OFFSET)
  }
}

function isUpdate(bytes: Buffer, at: number): boolean {
  return bytes.readUInt32BE(at) >= UPDATE_BIT
}

/** Where the pairs begin of the change at a place of an entry. */
export function pairsStart(bytes: Buffer, at: number): number {
  return at + CHANGE_HEADER_BYTES + (isUpdate(bytes, at) ? UPDATE_BYTES : 0)
}

/** The path that was updated by the change at a place of an entry; `undefined` where it is no update. */
function updateAt(bytes: Buffer, at: number): Path | undefined {
  if (!isUpdate(bytes, at)) return undefined
  const length = bytes.readUInt16BE(at + CHANGE_HEADER_BYTES)
  if (length === 0) return rootPath
  const start = pairsStart(bytes, at) + PAIR_HEADER_BYTES
  return textAt(bytes, start, start + length) as Path
}

/** An entry, and what its changes have in common. */
export class EntryBytes {
  readonly bytes: Buffer
  readonly epoch: string
  #path: Path = rootPath
  #start = 0
  #length = -1

  constructor(bytes: Buffer, epoch: string) {
    this.bytes = bytes
    this.epoch = epoch
  }

  /** What is written again and again has one path, and is compared faster than read. */
  path(start: number, end: number): Path {
    if (end - start !== this.#length || !this.#isSameAt(start)) {
      this.#path = textAt(this.bytes, start, end) as Path
      this.#start = start
      this.#length = end - start
    }
    return this.#path
  }

  #isSameAt(start: number): boolean {
    // From the end, where the paths of neighbours differ.
    for (let index = this.#length - 1; index >= 0; index--) {
      if (this.bytes[start + index] !== this.bytes[this.#start + index]) return false
    }
    return true
  }
}

function decodePairs(entry: EntryBytes, start: number, end: number): ChangePair[] {
  const { bytes } = entry
  const pairs: ChangePair[] = []
  for (let at = start; at < end;) {
    const pathEnd = at + PAIR_HEADER_BYTES + bytes.readUInt16BE(at)
    const kind = bytes[at + 2]!
    const textEnd = pathEnd + bytes.readUInt32BE(at + 3)
    const path = entry.path(at + PAIR_HEADER_BYTES, pathEnd)
    const text = textAt(bytes, pathEnd, textEnd)
    const value = kind === HOLE ? undefined : TreeValue.fromCanonical(text, formOfKind(kind))
    pairs.push({ path, value })
    at = textEnd
  }
  return pairs
}
