import { sequenceOfEventId } from '@elkyn/tree'
import { beforeEventId, blockEnd } from './event-frame.ts'
import type { StreamResult } from './stream-job.ts'
import { Gap } from './topic.ts'
import type { Batch, Position, Topic } from './topic.ts'

/** Bytes of a segment, unless all may have few, and of what is taken out at once. */
const maxSegmentBytes = 256 * 1024

/** Segments, at least: with the oldest one goes so much of what is kept. */
const minSegments = 8

/** Bytes that are sent as they lie there. Less is worth a copy: each piece is asked for in a turn of its own. */
const minPieceBytes = 64 * 1024

/** Bytes that are reserved for what one topic tells: more than half of it is used before what follows goes elsewhere. */
const maxReservedBytes = 2 * minPieceBytes

/** What it takes to know of an extent, in bytes. */
const extentBytes = 128

/** Memory for events of all topics in the order in which they were told, filled once. */
interface Segment {
  readonly number: number
  readonly bytes: Buffer
  end: number
  /** Bytes that may be added; what it takes to find them counts too, though it lies elsewhere. */
  room: number
  /** Those who have events in it. */
  readonly histories: Set<History>
}

/** Events of one topic that lie behind each other. */
interface Extent {
  readonly segment: Segment
  readonly start: number
  end: number
  /** Where the memory ends that is there for them. */
  limit: number
  count: number
  /** What the last of them says. */
  sequence: number
  id: string
}

/** What one topic told, without a gap. */
interface History {
  readonly key: string
  /** Who has this has all before the first event here. */
  base: Position | undefined
  readonly extents: Extent[]
  /** Whether what the topic tells next comes directly behind. */
  isOpen: boolean
}

/** A place among the extents of a history. */
interface Place {
  readonly index: number
  readonly offset: number
}

/**
 * The newest events that were told, as they were sent. Most who come back were away for a moment and come back together, to
 * what others went on watching: for them nothing has to be read.
 */
export class RecentEvents {
  readonly #maxSegments: number
  readonly #segmentBytes: number
  /** The oldest one first. */
  readonly #segments: Segment[] = []
  readonly #histories = new Map<string, History>()

  /** @param maxBytes Of events; what is older than these is forgotten. 0: none are kept. */
  constructor(maxBytes: number) {
    this.#segmentBytes = Math.min(Math.floor(maxBytes / minSegments), maxSegmentBytes)
    this.#maxSegments = this.#segmentBytes === 0 ? 0 : Math.floor(maxBytes / this.#segmentBytes)
  }

  /** Keeps what is about to be told to all who are up to date with a topic. */
  add(topic: Topic, { frames, bytes }: Batch): void {
    if (this.#maxSegments === 0 || !topic.isFollowed) return
    const first = frames[0]!
    const last = frames.at(-1)!
    // What nobody was told may lie between these.
    const isComplete = first.sequence > topic.untold
    if (bytes === undefined || !isComplete || last instanceof Gap || last.id === undefined) {
      this.end(topic)
      return
    }
    const history = this.#openHistory(topic, first.sequence)
    const extent = this.#extentFor(history, bytes.length)
    if (extent === undefined) {
      this.end(topic)
      return
    }
    extent.segment.bytes.set(bytes, extent.end)
    extent.end += bytes.length
    extent.count += frames.length
    extent.sequence = last.sequence
    extent.id = last.id
  }

  /** What the topic tells next does not follow what was added. */
  end({ key }: Topic): void {
    const history = this.#histories.get(key)
    if (history !== undefined) history.isOpen = false
  }

  /** Whether {@link after} gives something. */
  has({ key }: Topic, since: string, known?: number): boolean {
    const history = this.#histories.get(key)
    return history !== undefined && placeBehind(history, since, known) !== undefined
  }

  /** The last event that a topic told; `undefined` where it has told something since that is not here. */
  newest({ key }: Topic): Position | undefined {
    const history = this.#histories.get(key)
    return history?.isOpen === true ? history.extents.at(-1) : undefined
  }

  /**
   * What a topic told behind an event, or the first piece of that; `undefined` where it is not known.
   * @param known The number of the change with this id, where that is known to be one of this history: then it
   * may be one that the topic did not tell. Default: it is not.
   */
  after({ key }: Topic, since: string, known?: number): StreamResult | undefined {
    const history = this.#histories.get(key)
    const place = history && placeBehind(history, since, known)
    if (place === undefined) return undefined
    const { extents } = history!
    const pieces: Buffer[] = []
    let { index, offset } = place
    let length = 0
    let count = 0
    for (; index < extents.length; index++) {
      const { segment, start, end, count: all } = extents[index]!
      const piece = segment.bytes.subarray(offset, end)
      if (length > 0 && length + piece.length > maxSegmentBytes) break
      pieces.push(piece)
      length += piece.length
      count += offset === start ? all : countOf(piece)
      offset = extents[index + 1]?.start ?? 0
      if (pieces.length === 1 && length >= minPieceBytes) {
        index++
        break
      }
    }
    const { sequence, id } = extents[index - 1]!
    const bytes = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, length)
    // What was told since then, and whatever is not kept, is in the log.
    return { sequence, id, events: [], framed: { count, bytes }, isWhole: false, isCut: true }
  }

  #openHistory(topic: Topic, sequence: number): History {
    const known = this.#histories.get(topic.key)
    if (known?.isOpen === true) return known
    return { key: topic.key, base: baseOf(topic, sequence), extents: [], isOpen: true }
  }

  /** Where so many bytes go; `undefined` where they are too many. */
  #extentFor(history: History, length: number): Extent | undefined {
    const newest = history.extents.at(-1)
    // Not in one that will be forgotten before long.
    const isYoung = newest !== undefined && newest.segment.number >= this.#oldestYoung
    if (isYoung && hasRoom(newest, length)) return newest
    const segment = this.#segmentFor(history, length)
    if (segment === undefined) return undefined
    this.#histories.set(history.key, history)
    segment.room -= extentBytes + (segment.histories.has(history) ? 0 : bytesOf(history))
    segment.histories.add(history)
    const likely = Math.min(likelyBytes(newest, length), maxReservedBytes)
    const reserved = Math.min(Math.max(length, likely), segment.room)
    const start = segment.end
    reserve(segment, reserved)
    const extent = { segment, start, end: start, limit: segment.end, count: 0, sequence: 0, id: '' }
    history.extents.push(extent)
    return extent
  }

  /** Number of the oldest segment in which what is told now may go. */
  get #oldestYoung(): number {
    const { number } = this.#segments.at(-1)!
    return number - this.#maxSegments / 2
  }

  /** The segment that has room for an extent of so many bytes. */
  #segmentFor(history: History, length: number): Segment | undefined {
    const needed = length + extentBytes + bytesOf(history)
    const last = this.#segments.at(-1)
    if (last !== undefined && last.room >= needed) return last
    if (needed > this.#segmentBytes) return undefined
    if (this.#segments.length === this.#maxSegments) this.#forget(this.#segments.shift()!)
    // Never filled again: sockets may look at it for as long as their clients take.
    const bytes = Buffer.allocUnsafeSlow(this.#segmentBytes)
    const number = last === undefined ? 0 : last.number + 1
    const segment: Segment = { number, bytes, end: 0, room: bytes.length, histories: new Set() }
    this.#segments.push(segment)
    return segment
  }

  #forget(segment: Segment): void {
    for (const history of segment.histories) {
      const { key, extents } = history
      let count = 0
      while (extents[count]?.segment === segment) count++
      const { sequence, id } = extents[count - 1]!
      history.base = { sequence, id }
      extents.splice(0, count)
      if (extents.length === 0 && this.#histories.get(key) === history) this.#histories.delete(key)
    }
  }
}

/**
 * Bytes for which there should be room behind an extent: as many as there were, or twice that where it was full, so that what
 * one topic tells again and again lies in few pieces, whatever others tell.
 */
function likelyBytes(extent: Extent | undefined, next: number): number {
  if (extent === undefined) return 0
  const { start, end, limit } = extent
  return limit - end < next ? 2 * (end - start) : end - start
}

/** Whether so many bytes can be added to an extent. Makes room, if there is some behind it. */
function hasRoom(extent: Extent, length: number): boolean {
  const { segment, end, limit } = extent
  const missing = end + length - limit
  if (missing <= 0) return true
  if (limit !== segment.end || missing > segment.room) return false
  reserve(segment, missing)
  extent.limit = segment.end
  return true
}

function reserve(segment: Segment, length: number): void {
  segment.end += length
  segment.room -= length
}

/** What it takes to know of a history, in bytes. */
function bytesOf({ key }: History): number {
  return 256 + 2 * key.length
}

/** What somebody has who is up to date, as what is told next begins with this number. */
function baseOf({ live, absent }: Topic, sequence: number): Position | undefined {
  for (const { sequence: reached, id } of live) {
    if (reached < sequence) return { sequence: reached, id }
  }
  return absent !== undefined && absent.sequence < sequence ? absent : undefined
}

/** Where it goes on behind an event; `undefined` where that is not known, or is the last one. */
function placeBehind(
  history: History,
  since: string,
  known: number | undefined,
): Place | undefined {
  const { base, extents } = history
  if (since === base?.id) return placeAt(extents, 0)
  const index = indexOfChange(extents, sequenceOfEventId(since))
  const extent = extents[index]
  if (extent === undefined) return undefined
  if (extent.id === since) return placeAt(extents, index + 1)
  const { segment, start, end } = extent
  const told = segment.bytes.subarray(start, end)
  const idLine = Buffer.from(`${beforeEventId}${since}${blockEnd}`)
  const at = told.indexOf(idLine)
  if (at >= 0) return { index, offset: start + at + idLine.length }
  return known === undefined ? undefined : placeBehindChange(history, known)
}

/** The same behind a change that need not be among these. */
function placeBehindChange({ base, extents }: History, sequence: number): Place | undefined {
  const index = indexOfChange(extents, sequence + 1)
  const extent = extents[index]
  if (extent === undefined) return undefined
  const { segment, start, end } = extent
  const offset = start + offsetBehind(segment.bytes.subarray(start, end), sequence)
  const isFirst = index === 0 && offset === start
  // In front of the first one here there may be others.
  if (isFirst && (base === undefined || base.sequence > sequence)) return undefined
  return { index, offset }
}

/** Where the first event of a later change begins. */
function offsetBehind(told: Buffer, sequence: number): number {
  let offset = 0
  for (;;) {
    const idAt = told.indexOf(beforeEventId, offset)
    if (idAt < 0) return offset
    const end = told.indexOf(blockEnd, idAt)
    const id = told.toString('latin1', idAt + beforeEventId.length, end)
    if (sequenceOfEventId(id) > sequence) return offset
    offset = end + blockEnd.length
  }
}

/** The first extent that does not end before a change. There may be ten thousands, where topics tell something in turn. */
function indexOfChange(extents: readonly Extent[], sequence: number): number {
  let [low, high] = [0, extents.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (extents[middle]!.sequence < sequence) low = middle + 1
    else high = middle
  }
  return low
}

function placeAt(extents: readonly Extent[], index: number): Place | undefined {
  const extent = extents[index]
  return extent && { index, offset: extent.start }
}

/** How many events there are in whole blocks of them. */
function countOf(blocks: Buffer): number {
  let count = 0
  for (let at = blocks.indexOf(blockEnd); at >= 0; at = blocks.indexOf(blockEnd, at + 2)) count++
  return count
}
