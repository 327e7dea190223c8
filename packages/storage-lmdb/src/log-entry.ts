import type { Path } from '@elkyn/tree'
import { bearingOn, strongest } from './bearing.ts'
import type { Bearing } from './bearing.ts'
import { textAt } from './buffer-text.ts'
import type { ChangedPaths } from './changed-paths.ts'
import { readHeadNumber } from './entry.ts'
import {
  CHANGE_HEADER_BYTES,
  COUNT_OFFSET,
  HEADER_BYTES,
  PAIR_HEADER_BYTES,
  TIME_OFFSET,
  changeBytes,
} from './log-format.ts'
import { pairsStart } from './stored-change.ts'

/** An entry of the change log, as it is read. */
export class LogEntry {
  /** Number of its last change. */
  readonly sequence: number
  /** What is stored. */
  readonly value: Buffer

  constructor(sequence: number, value: Buffer) {
    this.sequence = sequence
    this.value = value
  }

  /** Number of its first change. */
  get first(): number {
    return this.sequence - this.value.readUInt16BE(COUNT_OFFSET) + 1
  }

  /** Bytes of all entries that were ever logged, up to this one. */
  get bytes(): number {
    return readHeadNumber(this.value, 0)
  }

  /** Time of its first change. */
  get time(): number {
    return readHeadNumber(this.value, HEADER_BYTES + TIME_OFFSET)
  }

  /** How its changes from a number on bear on a path, all together. */
  bearing(from: number, path: Path): Bearing {
    return strongest(this.#bearings(from, path))
  }

  /** Adds what its changes from a number on have changed. */
  addPathsTo(changed: ChangedPaths, from: number): void {
    for (const { sequence, start, end } of this.#changes(from)) {
      for (const path of pathsOf(this.value, start, end)) changed.add(sequence, path)
    }
  }

  *#bearings(from: number, path: Path): Iterable<Bearing> {
    for (const { start, end } of this.#changes(from)) {
      for (const changed of pathsOf(this.value, start, end)) yield bearingOn(path, changed)
    }
  }

  /** Where the pairs of its changes lie, from a number on. */
  *#changes(from: number): Iterable<{ sequence: number; start: number; end: number }> {
    const { value } = this
    let sequence = this.first
    for (let at = HEADER_BYTES; at < value.length; sequence++) {
      const end = at + changeBytes(value.readInt32BE(at))
      if (sequence >= from) yield { sequence, start: pairsStart(value, at), end }
      at = end
    }
  }
}

/** Holds what stands for the empty tree before the first change: a change without pairs. */
export const beginning: LogEntry = new LogEntry(0, emptyChange())

function emptyChange(): Buffer {
  const value = Buffer.alloc(HEADER_BYTES + CHANGE_HEADER_BYTES)
  value.writeUInt16BE(1, COUNT_OFFSET)
  value.writeUInt32BE(CHANGE_HEADER_BYTES - 4, HEADER_BYTES)
  return value
}

function* pathsOf(bytes: Buffer, start: number, end: number): Iterable<Path> {
  for (let at = start; at < end;) {
    const pathEnd = at + PAIR_HEADER_BYTES + bytes.readUInt16BE(at)
    yield textAt(bytes, at + PAIR_HEADER_BYTES, pathEnd) as Path
    at = pathEnd + bytes.readUInt32BE(at + 3)
  }
}
