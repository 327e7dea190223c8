import type { Writable } from 'node:stream'

/** Most bytes that are handed on at once. */
export const partBytes: number = 64 * 1024

interface Waiting {
  readonly bytes: Uint8Array
  readonly release: (() => void) | undefined
}

/**
 * Writes in parts, so that it shows when somebody takes them: a stream of Node counts a write, and all that
 * gathered behind it for the next one, as pending until the last byte of it has left.
 */
export class PartWriter {
  /** Called each time when all has left that {@link write} said was too much. */
  onDrain: (() => void) | undefined
  readonly #writable: Writable
  #writtenBytes = 0
  /** What was not handed on yet. There is nothing unless a part is on its way. */
  #waiting: Waiting[] = []
  #waitingBytes = 0
  /** Parts of which it was not told yet that they have left. */
  #partsOnTheWay = 0
  #end: (() => void) | undefined

  /** @param writable Whose event `drain` is told to {@link drained}. */
  constructor(writable: Writable) {
    this.#writable = writable
  }

  get pendingBytes(): number {
    return this.#writable.writableLength + this.#waitingBytes
  }

  /** How much of what was written has left. */
  get leftBytes(): number {
    return this.#writtenBytes - this.pendingBytes
  }

  /**
   * @param release Called once when nobody looks at the bytes any more, also where nobody takes them.
   * @returns whether more should follow before {@link onDrain}.
   */
  write(bytes: Uint8Array, release?: () => void): boolean {
    const writable = this.#writable
    this.#writtenBytes += bytes.length
    if (this.#waiting.length === 0 && writable.writableLength + bytes.length <= partBytes) {
      return release === undefined ? writable.write(bytes) : writable.write(bytes, () => release())
    }
    this.#waiting.push({ bytes, release })
    this.#waitingBytes += bytes.length
    if (this.#partsOnTheWay === 0) this.#writeParts()
    return this.pendingBytes === 0
  }

  /** Calls `end` when all that was written has been handed on. */
  end(end: () => void): void {
    if (this.#partsOnTheWay > 0) this.#end = end
    else end()
  }

  readonly drained = (): void => {
    // Of a part it is told by its own callback, which comes behind this.
    if (this.#partsOnTheWay === 0) this.onDrain?.()
  }

  #writeParts(): void {
    // What the system has taken is no longer pending, though it is told of that later.
    do this.#writePart()
    while (this.#waiting.length > 0 && this.#writable.writableLength === 0)
  }

  #writePart(): void {
    this.#partsOnTheWay++
    const { pieces, releases } = this.#takePart()
    const writable = this.#writable
    writable.cork()
    for (const [index, piece] of pieces.entries()) {
      const isLast = index === pieces.length - 1
      writable.write(piece, isLast ? (error) => this.#hasLeft(error, releases) : undefined)
    }
    writable.uncork()
  }

  #takePart(): { readonly pieces: Uint8Array[]; readonly releases: (() => void)[] } {
    const pieces: Uint8Array[] = []
    const releases: (() => void)[] = []
    let room = partBytes
    let count = 0
    for (const { bytes, release } of this.#waiting) {
      if (room === 0) break
      const piece = bytes.subarray(0, room)
      pieces.push(piece)
      room -= piece.length
      if (piece.length < bytes.length) {
        this.#waiting[count] = { bytes: bytes.subarray(piece.length), release }
        break
      }
      count++
      if (release !== undefined) releases.push(release)
    }
    this.#waiting.splice(0, count)
    this.#waitingBytes -= partBytes - room
    return { pieces, releases }
  }

  #hasLeft(error: Error | null | undefined, releases: readonly (() => void)[]): void {
    this.#partsOnTheWay--
    for (const release of releases) release()
    if (error) this.#drop()
    else if (this.#partsOnTheWay > 0) return
    else if (this.#waiting.length > 0) this.#writeParts()
    else if (this.#end !== undefined) this.#end()
    else this.onDrain?.()
  }

  /** Forgets what nobody takes any more. */
  #drop(): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#waitingBytes = 0
    for (const { release } of waiting) release?.()
  }
}
