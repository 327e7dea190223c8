import { TreeValue, rootPath } from '@elkyn/tree'
import type { Change, ChangePair, Path } from '@elkyn/tree'
import { bearingOn, strongest } from './bearing.ts'
import type { Bearing } from './bearing.ts'
import { textAt } from './buffer-text.ts'
import { formOfKind, readHeadNumber } from './entry.ts'
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
import { LoggedChange } from './logged-change.ts'

/** An entry of the change log, as it is read. */
export class LogEntry {
  /** Number of its last change. */
  readonly sequence: number
  readonly #value: Buffer

  constructor(sequence: number, value: Buffer) {
    this.sequence = sequence
    this.#value = value
  }

  /** Number of its first change. */
  get first(): number {
    return this.sequence - this.#value.readUInt16BE(COUNT_OFFSET) + 1
  }

  /** Bytes of all entries that were ever logged, up to this one. */
  get bytes(): number {
    return readHeadNumber(this.#value, 0)
  }

  /** Time of its first change. */
  get time(): number {
    return readHeadNumber(this.#value, HEADER_BYTES + TIME_OFFSET)
  }

  /** Its changes from one number up to another, at once: a generator costs more than what it yields. */
  changes(epoch: string, from: number, to: number = this.sequence): Change[] {
    const value = this.#value
    const changes: Change[] = []
    const paths = new PathReader(value)
    let number = this.first
    for (let at = HEADER_BYTES; at < value.length && number <= to; number++) {
      const end = changeEnd(value, at)
      if (number >= from) {
        const time = readHeadNumber(value, at + TIME_OFFSET)
        const mark = value.readInt32BE(at + MARK_OFFSET)
        const pairs = decodePairs(value, pairsStart(value, at), end, paths)
        const update = updateAt(value, at)
        changes.push(new LoggedChange(epoch, number, time, mark, pairs, update))
      }
      at = end
    }
    return changes
  }

  /** How its changes from a number on bear on a path, all together. */
  bearing(from: number, path: Path): Bearing {
    return strongest(bearingsOf(this.#value, from - this.first, path))
  }
}

/** Where the change ends that starts at a place of an entry. */
function changeEnd(bytes: Buffer, at: number): number {
  return at + 4 + (bytes.readUInt32BE(at) & ~UPDATE_BIT)
}

function isUpdate(bytes: Buffer, at: number): boolean {
  return bytes.readUInt32BE(at) >= UPDATE_BIT
}

function pairsStart(bytes: Buffer, at: number): number {
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

/** Reads paths of an entry. What is written again and again has one path, and is compared faster than read. */
class PathReader {
  readonly #bytes: Buffer
  #path: Path = rootPath
  #start = 0
  #length = -1

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  read(start: number, end: number): Path {
    if (end - start !== this.#length || !this.#isSameAt(start)) {
      this.#path = textAt(this.#bytes, start, end) as Path
      this.#start = start
      this.#length = end - start
    }
    return this.#path
  }

  #isSameAt(start: number): boolean {
    // From the end, where the paths of neighbours differ.
    for (let index = this.#length - 1; index >= 0; index--) {
      if (this.#bytes[start + index] !== this.#bytes[this.#start + index]) return false
    }
    return true
  }
}

function decodePairs(bytes: Buffer, start: number, end: number, paths: PathReader): ChangePair[] {
  const pairs: ChangePair[] = []
  for (let at = start; at < end;) {
    const pathEnd = at + PAIR_HEADER_BYTES + bytes.readUInt16BE(at)
    const kind = bytes[at + 2]!
    const textEnd = pathEnd + bytes.readUInt32BE(at + 3)
    const path = paths.read(at + PAIR_HEADER_BYTES, pathEnd)
    const text = textAt(bytes, pathEnd, textEnd)
    const value = kind === HOLE ? undefined : TreeValue.fromCanonical(text, formOfKind(kind))
    pairs.push({ path, value })
    at = textEnd
  }
  return pairs
}

/** How the changes of an entry, without the first ones, bear on a path. */
function* bearingsOf(bytes: Buffer, skipped: number, path: Path): Iterable<Bearing> {
  let left = skipped
  for (let at = HEADER_BYTES; at < bytes.length; left--) {
    const end = changeEnd(bytes, at)
    if (left <= 0) yield* bearingsOfPairs(bytes, pairsStart(bytes, at), end, path)
    at = end
  }
}

function* bearingsOfPairs(
  bytes: Buffer,
  start: number,
  end: number,
  path: Path,
): Iterable<Bearing> {
  for (let at = start; at < end;) {
    const pathEnd = at + PAIR_HEADER_BYTES + bytes.readUInt16BE(at)
    yield bearingOn(path, textAt(bytes, at + PAIR_HEADER_BYTES, pathEnd) as Path)
    at = pathEnd + bytes.readUInt32BE(at + 3)
  }
}
