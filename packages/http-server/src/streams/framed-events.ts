import { rootPath } from '@elkyn/tree'
import type { StoredPair } from '@elkyn/tree'
import type { ChangeEvent } from './change-events.ts'
import { jsonEventText } from './event-frame.ts'
import type { StreamTarget } from './stream-target.ts'

/** Events in one piece, ready to be sent. */
export interface FramedPiece {
  readonly count: number
  readonly bytes: Uint8Array
  /** Whether they lie in the memory that was lent for them, from its beginning on. */
  readonly isLent?: boolean
  /** To be called once, when nobody looks at the bytes any more. None where they are nobody else's then either. */
  readonly release?: (() => void) | undefined
}

/** Bytes of events, or of a value, that are held in one piece. */
export const maxWholeBytes: number = 256 * 1024

/** Fewer bytes are not worth the memory that is lent for them: they are copied out of it. */
export const minLentBytes: number = 32 * 1024

/** Most who come back have missed no more. */
const firstBytes = 4096

/** How much it will be about, unless it is very little: an event goes in whole. */
const likelyBytes = maxWholeBytes + 16 * 1024

/** Room for the id of an event, and for what is around that, path and text. */
const frameBytes = 128

// Looked up once: to ask for the global takes as long as to copy an event.
const { copy } = Buffer.prototype

const slash = '/'.charCodeAt(0)
const beforePath = Buffer.from('event: put\ndata: {"path":"')
const beforeText = Buffer.from('","data":')
/** Both around the path of what is watched itself. */
const beforeOwnText = Buffer.from('event: put\ndata: {"path":"/","data":')
const beforeId = Buffer.from('}\nid: ')
const behindId = Buffer.from('\n\n')

/** Bytes that do not stand for themselves in JSON; and the dot, which only the path of a priority has. */
const isSpecial = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || '"\\.'.includes(String.fromCharCode(byte)) ? 1 : 0,
)

/**
 * Gathers what was missed at one path as the bytes that are sent. Most changes are one `put` each, of a
 * text that lies in the log as it goes out: those are copied. To read them and to write them again would take
 * several times as long as to send them.
 */
export class FramedEvents {
  /** The watched path as it begins those below it: that of the root is not to be seen there. */
  readonly #watched: Buffer
  /** Whether values are shown as they are stored, which arrays are not in `export`. */
  readonly #isPlain: boolean
  readonly #lent: Buffer | undefined
  // Memory of its own, so that another thread can be given it instead of a copy.
  #bytes: Buffer = Buffer.allocUnsafeSlow(firstBytes)
  #end = 0
  #count = 0

  /** @param lent Memory that is used as far as it goes, unless it is very little. Default: none. */
  constructor({ path, form }: StreamTarget, lent?: Buffer) {
    this.#isPlain = form === 'plain'
    this.#watched = Buffer.from(path === rootPath ? '' : path)
    this.#lent = lent
  }

  /** Bytes so far. */
  get length(): number {
    return this.#end
  }

  add({ name, json, id }: ChangeEvent): void {
    const block = jsonEventText(name, json, id)
    this.#reserve(block.length * 3)
    this.#end += this.#bytes.write(block, this.#end)
    this.#count++
  }

  /** Adds what the only pair of a change means, if anything. @returns false where it has to be read to know. */
  addPair(pair: StoredPair | undefined): boolean {
    if (pair === undefined || !this.#isPlain) return false
    const bearing = this.#bearingOf(pair)
    if (bearing !== 'below') return bearing === 'elsewhere'
    const { bytes, pathStart, pathEnd, textEnd } = pair
    this.#reserve(textEnd - pathStart + frameBytes)
    const from = pathStart + this.#watched.length
    const target = this.#bytes
    let at = this.#end
    if (from === pathEnd) {
      at = put(beforeOwnText, target, at)
    } else {
      at = put(beforePath, target, at)
      for (let place = from; place < pathEnd; place++) {
        const byte = bytes[place]!
        if (isSpecial[byte] === 1) return false
        target[at++] = byte
      }
      at = put(beforeText, target, at)
    }
    at += copy.call(bytes, target, at, pathEnd, textEnd)
    at = put(beforeId, target, at)
    at = pair.writeId(target, at)
    this.#end = put(behindId, target, at)
    this.#count++
    return true
  }

  take(): { readonly events: readonly []; readonly framed: FramedPiece } {
    const bytes = this.#bytes.subarray(0, this.#end)
    const isInLent = this.#bytes === this.#lent
    const isLent = isInLent && bytes.length >= minLentBytes
    const own = isInLent && !isLent ? Buffer.from(bytes) : bytes
    return { events: [], framed: { count: this.#count, bytes: own, isLent } }
  }

  /** Where a pair lies; `unknown` where its path has to be read for that. */
  #bearingOf({ bytes, pathStart, pathEnd }: StoredPair): 'below' | 'elsewhere' | 'unknown' {
    const watched = this.#watched
    const length = Math.min(watched.length, pathEnd - pathStart)
    for (let index = length - 1; index >= 0; index--) {
      if (bytes[pathStart + index] !== watched[index]) return 'elsewhere'
    }
    if (length < watched.length) return 'unknown'
    const end = pathStart + length
    return end === pathEnd || bytes[end] === slash ? 'below' : 'elsewhere'
  }

  #reserve(more: number): void {
    const length = this.#end + more
    if (length <= this.#bytes.length) return
    const larger = this.#larger(length)
    this.#bytes.copy(larger, 0, 0, this.#end)
    this.#bytes = larger
  }

  #larger(length: number): Buffer {
    const lent = this.#lent
    if (lent !== undefined && length <= lent.length) return lent
    return Buffer.allocUnsafeSlow(Math.max(length, likelyBytes, 2 * this.#bytes.length))
  }
}

/** Copies a few bytes: to begin `set()` takes longer. @returns where they end. */
function put(bytes: Uint8Array, target: Uint8Array, start: number): number {
  for (let index = 0; index < bytes.length; index++) target[start + index] = bytes[index]!
  return start + bytes.length
}
