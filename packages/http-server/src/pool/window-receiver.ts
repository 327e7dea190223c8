import type { FileHandle } from 'node:fs/promises'
import type { LargePace } from './large-pace.ts'
import type { SpoolRoom } from './spool-room.ts'
import { FileNeed, SharedWindow, WindowState, WindowWord } from './shared-window.ts'

/** Largest piece that is handed on at once, in bytes. */
const pieceBytes = 128 * 1024

/**
 * The receiving side of a window. A piece is a view of it, whose bytes hold until the next one is asked for. The file,
 * if there is one, is closed when both sides have done with it.
 */
export class WindowReceiver implements AsyncIterableIterator<Uint8Array> {
  readonly #window: SharedWindow
  readonly #pace: LargePace
  readonly #openFile: () => Promise<FileHandle>
  readonly #room: SpoolRoom
  #file: FileHandle | undefined
  #filePosition = 0
  /** Bytes that were handed on. */
  #sent = 0
  /** Of them, those that are still looked at in the window. */
  #lent = 0
  #hasSenderEnded = false
  #isDone = false
  #failure: Error | undefined
  readonly #onDone: () => void

  /**
   * @param size Bytes that the window holds: a power of two.
   * @param pace Says when a piece may be handed on.
   * @param openFile Makes a file for a rest that its receiver is too slow for.
   * @param room What the sender takes for that file is given back there.
   * @param onDone Called once, when nothing more is wanted.
   */
  constructor(
    size: number,
    pace: LargePace,
    openFile: () => Promise<FileHandle>,
    room: SpoolRoom,
    onDone: () => void,
  ) {
    this.#window = SharedWindow.create(size)
    this.#pace = pace
    this.#openFile = openFile
    this.#room = room
    this.#onDone = onDone
    void this.#giveFile()
  }

  /** For the `WindowSender` in another thread. */
  get buffer(): SharedArrayBuffer {
    return this.#window.buffer
  }

  /**
   * Exactly so many bytes, in one piece.
   * @throws {Error} when there are fewer before the end
   */
  async takeAll(length: number): Promise<Uint8Array> {
    const all = new Uint8Array(length)
    for (let offset = 0; offset < length;) {
      if (!(await this.#until(() => this.#window.waiting > 0))) throw new Error('Too few bytes')
      const piece = this.#look(length - offset)
      all.set(piece, offset)
      offset += piece.length
      this.#take(piece.length)
    }
    return all
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#isDone) return { done: true, value: undefined }
    this.#take(this.#lent)
    this.#lent = 0
    let value: Uint8Array | undefined
    try {
      value = await this.#piece()
    } catch (error) {
      // A `for await` ends what it leaves, but not what has failed.
      await this.return()
      throw error
    }
    if (value === undefined) return this.return()
    this.#sent += value.length
    return { done: false, value }
  }

  /** Wants nothing more. */
  async return(): Promise<IteratorResult<Uint8Array>> {
    if (this.#isDone) return { done: true, value: undefined }
    this.#isDone = true
    this.#onDone()
    this.#window.tell(WindowWord.Cancelled, 1, WindowWord.Taken)
    // Whoever waits here for more.
    Atomics.notify(this.#window.words, WindowWord.Sent)
    await this.#closeFile()
    return { done: true, value: undefined }
  }

  /** To be called when the sender will touch neither window nor file again; with an error if it died. */
  async senderEnded(failure?: Error): Promise<void> {
    this.#hasSenderEnded = true
    this.#failure ??= failure
    // Nobody will ask for it any more: ends the wait.
    Atomics.compareExchange(
      this.#window.words,
      WindowWord.FileNeed,
      FileNeed.Unknown,
      FileNeed.None,
    )
    Atomics.notify(this.#window.words, WindowWord.FileNeed)
    // Wakes whoever waits here.
    if (failure !== undefined && this.#window.load(WindowWord.State) !== WindowState.Ended) {
      this.#window.tell(WindowWord.State, WindowState.Failed, WindowWord.Sent)
    }
    await this.#closeFile()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /**
   * Waits until it is so, or nothing more will come into the window, or is wanted.
   * @throws when the sender has failed
   */
  async #until(isReady: () => boolean): Promise<boolean> {
    for (;;) {
      if (this.#isDone) return false
      const seen = this.#window.load(WindowWord.Sent)
      const state = this.#window.load(WindowWord.State)
      if (isReady()) return true
      if (state === WindowState.Ended) return false
      if (state === WindowState.Failed) {
        throw this.#failure ?? new Error('The thread that reads an answer has failed')
      }
      await this.#window.changed(WindowWord.Sent, seen)
    }
  }

  async #piece(): Promise<Uint8Array | undefined> {
    const isInWindow = await this.#until(() => this.#window.waiting > 0)
    await this.#pace.turn(this.#sent)
    // It was given up meanwhile.
    if (this.#isDone) return undefined
    if (!isInWindow) return this.#readFile()
    const piece = this.#look(pieceBytes)
    this.#lent = piece.length
    return piece
  }

  /** What has come and lies in one piece. */
  #look(most: number): Uint8Array {
    const { bytes: memory } = this.#window
    const start = this.#window.load(WindowWord.Read) & (memory.length - 1)
    const length = Math.min(most, this.#window.waiting, memory.length - start)
    return memory.subarray(start, start + length)
  }

  /**
   * Gives the room of so many bytes back. The sender hears of it when half of the window is free: to be woken costs
   * more than to fill a piece, and one that sleeps leaves the processor to others.
   */
  #take(length: number): void {
    if (length === 0) return
    const window = this.#window
    const read = window.load(WindowWord.Read) + length
    if (window.waiting - length > window.bytes.length / 2) {
      Atomics.store(window.words, WindowWord.Read, read)
    } else {
      window.tell(WindowWord.Read, read, WindowWord.Taken)
    }
  }

  async #giveFile(): Promise<void> {
    await this.#window.changed(WindowWord.FileNeed, FileNeed.Unknown)
    if (this.#window.load(WindowWord.FileNeed) !== FileNeed.Wanted) return
    try {
      this.#file = await this.#openFile()
      this.#window.tell(WindowWord.File, this.#file.fd + 1, WindowWord.Taken)
      await this.#closeFile()
    } catch (error) {
      this.#failure = new Error('Cannot make a file for the rest of an answer', { cause: error })
      this.#window.tell(WindowWord.File, -1, WindowWord.Taken)
    }
  }

  async #readFile(): Promise<Uint8Array | undefined> {
    const left = this.#window.fileLength - this.#filePosition
    if (this.#file === undefined || left <= 0) return undefined
    const piece = new Uint8Array(Math.min(pieceBytes, left))
    const { bytesRead } = await this.#file.read(piece, 0, piece.length, this.#filePosition)
    if (bytesRead === 0) throw new Error('The file with the rest of an answer is too short')
    this.#filePosition += bytesRead
    return piece.subarray(0, bytesRead)
  }

  async #closeFile(): Promise<void> {
    if (!this.#isDone || !this.#hasSenderEnded || this.#file === undefined) return
    const file = this.#file
    this.#file = undefined
    await file.close()
    this.#room.release(this.#window.fileLength)
  }
}
