import { writeSync } from 'node:fs'
import type { SpoolRoom } from './spool-room.ts'
import { FileNeed, SharedWindow, WindowState, WindowWord } from './shared-window.ts'

/** Who takes so many bytes in a second is not slow. */
const briskBytesPerSecond = 8 * 1024 * 1024

// As a multiple of the patience: even for who is brisk, what is read from is not held for ever.
const mostPatience = 12

/**
 * How long an answer of which so many bytes were taken may take in all before a file is used, in milliseconds: the
 * time for them is not counted where they were taken briskly, so that whoever copies everything needs no room for
 * it on the disk of the server.
 */
export function patienceFor(patienceMs: number, takenBytes: number): number {
  return Math.min(patienceMs + (takenBytes / briskBytesPerSecond) * 1000, mostPatience * patienceMs)
}

/**
 * The sending side of a window. Who receives may be slow: then the rest goes into a file, so that what
 * the bytes are read from need not be held any longer.
 */
export class WindowSender {
  readonly #window: SharedWindow
  readonly #begunAt = performance.now()
  readonly #patienceMs: number
  readonly #room: SpoolRoom
  /** Bytes that were put into the window. */
  #put = 0
  #file: number | undefined
  #fileLength = 0

  /**
   * @param patienceMs See {@link patienceFor}.
   * @param room for that file
   */
  constructor(buffer: SharedArrayBuffer, patienceMs: number, room: SpoolRoom) {
    this.#window = new SharedWindow(buffer)
    this.#room = room
    this.#patienceMs = patienceMs
  }

  /** Whether nobody wants anything more. One atomic load. */
  get isCancelled(): boolean {
    return this.#window.load(WindowWord.Cancelled) !== 0
  }

  /**
   * Sends bytes, waiting for room. They may be used again when it resolves.
   * @throws {Error} when there is no file, no room for it is left, or the disk is full.
   */
  async send(bytes: Uint8Array): Promise<void> {
    let offset = 0
    while (!this.isCancelled) {
      if (this.#file !== undefined) return this.#writeFile(this.#file, bytes.subarray(offset))
      const seen = this.#window.load(WindowWord.Taken)
      offset += this.#fill(bytes.subarray(offset))
      if (offset === bytes.length) return
      const patience = this.#patience()
      if (patience > 0) await this.#window.changed(WindowWord.Taken, seen, patience)
      else this.#file = await this.#openFile()
    }
  }

  /** Says that everything was sent. */
  end(): void {
    this.#window.tell(WindowWord.State, WindowState.Ended, WindowWord.Sent)
  }

  /** Says that the rest will never come. */
  fail(): void {
    this.#window.tell(WindowWord.State, WindowState.Failed, WindowWord.Sent)
  }

  /** Puts in what there is room for. */
  #fill(bytes: Uint8Array): number {
    const { bytes: memory } = this.#window
    const length = Math.min(memory.length - this.#window.waiting, bytes.length)
    if (length === 0) return 0
    const written = this.#window.load(WindowWord.Written)
    const start = written & (memory.length - 1)
    const first = Math.min(length, memory.length - start)
    memory.set(bytes.subarray(0, first), start)
    memory.set(bytes.subarray(first, length), 0)
    this.#window.tell(WindowWord.Written, written + length, WindowWord.Sent)
    this.#put += length
    return length
  }

  /** For how long to wait, in milliseconds. */
  #patience(): number {
    const taken = this.#put - this.#window.waiting
    return this.#begunAt + patienceFor(this.#patienceMs, taken) - performance.now()
  }

  async #openFile(): Promise<number | undefined> {
    Atomics.store(this.#window.words, WindowWord.FileNeed, FileNeed.Wanted)
    Atomics.notify(this.#window.words, WindowWord.FileNeed)
    while (!this.isCancelled) {
      const seen = this.#window.load(WindowWord.Taken)
      const file = this.#window.load(WindowWord.File)
      if (file === -1) throw new Error('Cannot put the rest of an answer into a file')
      if (file > 0) return file - 1
      await this.#window.changed(WindowWord.Taken, seen)
    }
    return undefined
  }

  #writeFile(file: number, bytes: Uint8Array): void {
    const length = this.#fileLength + bytes.length
    if (!this.#room.grow(this.#fileLength, length)) {
      throw new Error(
        'The files with answers for slow clients have reached maxSpoolBytes, or nearly fill their disk',
      )
    }
    // Before it is written: it says what has to be given back, whatever becomes of this thread.
    this.#window.fileLength = length
    for (let offset = 0; offset < bytes.length;) {
      offset += writeSync(file, bytes, offset, bytes.length - offset, this.#fileLength + offset)
    }
    this.#fileLength = length
  }
}
