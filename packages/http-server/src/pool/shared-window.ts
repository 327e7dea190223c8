// A window of shared memory through which one thread sends bytes of any length to another. The sender runs ahead by what
// the window holds. Both sides sleep on a word that the other one changes, after they have looked whether there is
// something to do: so no wake-up can be lost. Lengths count modulo 2^32.

import { changed } from './changed.ts'

/** The words in front of the bytes. */
export const WindowWord = {
  /** Changed by the sender when there is something new to see. */
  Sent: 0,
  /** Changed by the receiver likewise. */
  Taken: 1,
  /** Bytes put into the window so far. */
  Written: 2,
  /** Bytes taken out of it so far. */
  Read: 3,
  State: 4,
  /** 1 when the receiver wants nothing more. */
  Cancelled: 5,
  /** The file for the rest: a descriptor plus one, or -1 where there is none. */
  File: 6,
  /** Whether the sender needs a file, see {@link FileNeed}. */
  FileNeed: 7,
} as const

export const WindowState = {
  Open: 0,
  /** Everything was sent. */
  Ended: 1,
  /** What is missing will never come. */
  Failed: 2,
} as const

/** A word of its own, because the receiver may be waiting for its client when the sender needs a file. */
export const FileNeed = {
  Unknown: 0,
  Wanted: 1,
  /** It will never be wanted. */
  None: 2,
} as const

const headerBytes = 64
const fileLengthOffset = 40

/** One window, as each of its two sides sees it. */
export class SharedWindow {
  readonly buffer: SharedArrayBuffer
  readonly words: Int32Array
  readonly bytes: Uint8Array
  readonly #fileLength: Float64Array

  /** @param size Bytes that the window holds: a power of two. */
  static create(size: number): SharedWindow {
    return new SharedWindow(new SharedArrayBuffer(headerBytes + size))
  }

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    this.words = new Int32Array(buffer, 0, headerBytes / 4)
    this.bytes = new Uint8Array(buffer, headerBytes)
    this.#fileLength = new Float64Array(buffer, fileLengthOffset, 1)
  }

  load(word: number): number {
    return Atomics.load(this.words, word)
  }

  /** Changes a word and tells the other side. */
  tell(word: number, value: number, event: number): void {
    Atomics.store(this.words, word, value)
    Atomics.add(this.words, event, 1)
    Atomics.notify(this.words, event)
  }

  /** Bytes that were written and not read. */
  get waiting(): number {
    return (this.load(WindowWord.Written) - this.load(WindowWord.Read)) >>> 0
  }

  /** Resolves when `event` is no longer what was `seen`, or the time is over. */
  changed(event: number, seen: number, timeoutMs?: number): Promise<void> {
    return changed(this.words, event, seen, timeoutMs)
  }

  /** Bytes that are in the file, or are being written to it. */
  get fileLength(): number {
    return this.#fileLength[0] ?? 0
  }

  set fileLength(length: number) {
    this.#fileLength[0] = length
  }
}
