import type { PairFrame, PairTarget } from '@elkyn/tree'
import { ChangeIdWriter } from './change-id.ts'
import { copyInto } from './copy-bytes.ts'
import { Kind } from './entry.ts'
import { FixedBytes } from './fixed-bytes.ts'
import {
  CHANGE_HEADER_BYTES,
  MARK_OFFSET,
  PAIR_HEADER_BYTES,
  UPDATE_BYTES,
  changeBytes,
} from './log-format.ts'

const slash = '/'.charCodeAt(0)

/** Fewer bytes are copied here: to begin a native copy takes longer. */
const minNativeBytes = 64

/** Where a copy has got to in an entry of the log: the change that it is at. */
export interface EntryPlace {
  start: number
  end: number
  sequence: number
}

/**
 * Copies changes out of entries of the log into what is sent of them. Most are one pair whose text lies there as it
 * goes out; to read one and to write it again takes ten times as long as to copy it, and to ask an object for each
 * of its parts twice as long. So this is one loop over bytes, and what does not change is written in words.
 */
export class PairCopier {
  readonly frame: PairFrame
  readonly #beforePath: FixedBytes
  readonly #beforeText: FixedBytes
  readonly #beforeOwnText: FixedBytes
  readonly #ids: ChangeIdWriter
  readonly #behindId: FixedBytes
  readonly #source = new LastView()
  readonly #view = new LastView()
  /** Room for all that is not path and text. */
  readonly #frameBytes: number

  /** @param epoch How ids begin. */
  constructor(frame: PairFrame, epoch: string) {
    this.frame = frame
    this.#beforePath = new FixedBytes(frame.beforePath)
    this.#beforeText = new FixedBytes(frame.beforeText)
    this.#beforeOwnText = new FixedBytes(frame.beforeOwnText)
    this.#ids = new ChangeIdWriter(frame.beforeId, epoch)
    this.#behindId = new FixedBytes(frame.behindId)
    this.#frameBytes =
      frame.beforePath.length +
      frame.beforeText.length +
      frame.beforeOwnText.length +
      this.#ids.maxBytes +
      frame.behindId.length
  }

  /**
   * Copies from the change at `place` on, as {@link ChangeCursor.copyPairs} says, up to the end of the entry.
   *
   * @param entry The whole of it.
   * @param place Is moved to the last change that it is done with.
   */
  copy(entry: Buffer, place: EntryPlace, target: PairTarget, most: number): number {
    const watched = this.frame.path
    const { bytes, limit } = target
    const source = this.#source.of(entry)
    const view = this.#view.of(bytes)
    let { start, sequence } = place
    let at = target.end
    let done = 0
    target.wanted = 0
    while (done < most && at < limit && start < entry.length) {
      const head = source.getInt32(start)
      const end = start + changeBytes(head)
      const pair = start + CHANGE_HEADER_BYTES
      const pathStart = pair + PAIR_HEADER_BYTES
      // What stands for the empty tree has no pair.
      if (pathStart > end) break
      const pathEnd = pathStart + source.getUint16(pair)
      // The bit of an update is that of the sign.
      const isSole = head >= 0 && pathEnd + source.getInt32(pair + 3) === end
      const bearing = isSole
        ? bearingOf(entry, pathStart, pathEnd, watched)
        : bearingOfPairs(entry, source, start, end, watched)
      if (bearing !== Bearing.Elsewhere) {
        if (bearing === Bearing.Unknown || entry[pair + 2] !== Kind.plain) break
        const wanted = at + end - pathStart + this.#frameBytes
        if (wanted > bytes.length) {
          target.wanted = wanted
          break
        }
        let next = this.#putPlace(entry, pathStart + watched.length, pathEnd, view, at)
        if (next < 0) break
        next = putBytes(entry, pathEnd, end, bytes, next)
        next = this.#ids.write(sequence, source.getInt32(start + MARK_OFFSET), view, next)
        at = this.#behindId.put(view, next)
        target.count++
      }
      done++
      place.start = start
      place.end = end
      place.sequence = sequence
      start = end
      sequence++
    }
    target.end = at
    return done
  }

  /** Writes what stands before the text. @returns where it ends; less than 0 where the path cannot be written as it is. */
  #putPlace(entry: Uint8Array, start: number, end: number, view: DataView, at: number): number {
    if (start === end) return this.#beforeOwnText.put(view, at)
    const { isSpecial } = this.frame
    let next = this.#beforePath.put(view, at)
    for (let index = start; index < end; index++) {
      const byte = entry[index]!
      if (isSpecial[byte] === 1) return -1
      view.setUint8(next++, byte)
    }
    return this.#beforeText.put(view, next)
  }
}

const Bearing = { Below: 0, Elsewhere: 1, Unknown: 2 } as const

/** Where the path in these bytes is, seen from the watched one: that may lie below it, or it only begins the same. */
function bearingOf(bytes: Uint8Array, start: number, end: number, watched: Uint8Array): number {
  const length = Math.min(watched.length, end - start)
  // Paths that differ often begin the same.
  for (let index = length - 1; index >= 0; index--) {
    if (bytes[start + index] !== watched[index]) return Bearing.Elsewhere
  }
  if (length < watched.length) {
    // The root ends with its slash, others before the next one.
    const isAbove = length <= 1 || watched[length] === slash
    return isAbove ? Bearing.Unknown : Bearing.Elsewhere
  }
  const next = start + length
  return next === end || bytes[next] === slash ? Bearing.Below : Bearing.Elsewhere
}

/**
 * Whether all that an update or a change of several pairs says is elsewhere. It may have tens of megabytes, so that it is
 * not made an object of to know that.
 */
function bearingOfPairs(
  entry: Uint8Array,
  source: DataView,
  start: number,
  end: number,
  watched: Uint8Array,
): number {
  let pair = start + CHANGE_HEADER_BYTES
  if (source.getInt32(start) < 0) {
    const updated = pair + UPDATE_BYTES + PAIR_HEADER_BYTES
    const bearing = bearingOf(entry, updated, updated + source.getUint16(pair), watched)
    if (bearing === Bearing.Elsewhere) return bearing
    pair += UPDATE_BYTES
  }
  while (pair < end) {
    const pathStart = pair + PAIR_HEADER_BYTES
    const pathEnd = pathStart + source.getUint16(pair)
    if (bearingOf(entry, pathStart, pathEnd, watched) !== Bearing.Elsewhere) return Bearing.Unknown
    pair = pathEnd + source.getInt32(pair + 3)
  }
  return Bearing.Elsewhere
}

/** @returns where they end. */
function putBytes(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): number {
  const length = end - start
  if (length >= minNativeBytes) copyInto(source, start, end, target, at)
  else for (let index = 0; index < length; index++) target[at + index] = source[start + index]!
  return at + length
}

/** A view of the bytes that were looked at last: to make one takes longer than to look at a change that is elsewhere. */
class LastView {
  #bytes: Uint8Array | undefined
  #view: DataView = new DataView(new ArrayBuffer(0))

  of(bytes: Uint8Array): DataView {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    }
    return this.#view
  }
}
