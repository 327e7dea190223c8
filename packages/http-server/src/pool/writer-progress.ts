import { changed } from './changed.ts'

/** Words by which a writer shows that it is alive. */
const WriterWord = {
  /** Grows with each turn of the event loop and each row that is written. */
  Progress: 0,
  /** 1 while a commit is on its way to the disk, which may take as long as the disk wants. */
  Syncing: 1,
  /** 1 since the store was opened for writing for the first time, -1 when it could not be. */
  Opened: 2,
  /** 1 since the server listens, or never will. */
  Serving: 3,
  /** The last number that was given to a body or an answer that takes several tasks. */
  Ticket: 4,
} as const

export const progressBytes = 20

/**
 * A number that no thread has given before, for a body or an answer. Where a writer died, the next one gets
 * the rest of the tasks for those that it does not know, and must not take them for its own.
 */
export function nextTicket(progress: Int32Array): number {
  return (Atomics.add(progress, WriterWord.Ticket, 1) + 1) >>> 0
}

/** The writer's side: lets readers open the store. */
export function setOpened(progress: Int32Array): void {
  Atomics.store(progress, WriterWord.Opened, 1)
  Atomics.notify(progress, WriterWord.Opened)
}

/** The server's side: tells readers that the store will never be opened. */
export function giveUpOpening(progress: SharedArrayBuffer): void {
  const words = new Int32Array(progress)
  Atomics.compareExchange(words, WriterWord.Opened, 0, -1)
  Atomics.notify(words, WriterWord.Opened)
  setServing(progress)
}

/** The server's side: lets those threads begin that the first answer does not need. */
export function setServing(progress: SharedArrayBuffer): void {
  const words = new Int32Array(progress)
  Atomics.store(words, WriterWord.Serving, 1)
  Atomics.notify(words, WriterWord.Serving)
}

export function untilServing(progress: Int32Array): Promise<void> {
  return changed(progress, WriterWord.Serving, 0)
}

/**
 * The readers' side: waits until the writer has opened the store.
 * @throws {Error} when it could not.
 */
export async function untilOpened(progress: Int32Array): Promise<void> {
  await changed(progress, WriterWord.Opened, 0)
  if (Atomics.load(progress, WriterWord.Opened) === -1) throw new Error('The store was not opened')
}

/** How often a writer that has nothing to do says that it is alive, in milliseconds. */
export const beatMs = 250

/** The writer's side: counts turns of its event loop. Returns the way to stop. */
export function beat(progress: Int32Array): () => void {
  const timer = setInterval(() => Atomics.add(progress, WriterWord.Progress, 1), beatMs)
  timer.unref()
  return () => clearInterval(timer)
}

/**
 * The server's side: notices when a writer with something to do makes no progress. It may have died
 * inside a transaction, which no event tells, and which nothing in this process can repair.
 */
export class StallWatch implements Disposable {
  readonly #words: Int32Array
  readonly #limitMs: number
  readonly #isWaited: () => boolean
  readonly #onStall: () => void
  readonly #timer: NodeJS.Timeout
  #seen = 0
  #since = performance.now()
  #lookedAt = performance.now()
  readonly #intervalMs: number

  /** @param isWaited Whether anybody waits for the writer. */
  constructor(
    progress: SharedArrayBuffer,
    limitMs: number,
    isWaited: () => boolean,
    onStall: () => void,
  ) {
    this.#words = new Int32Array(progress)
    this.#limitMs = limitMs
    this.#isWaited = isWaited
    this.#onStall = onStall
    this.#intervalMs = Math.ceil(Math.min(limitMs / 4, 1000))
    this.#timer = setInterval(() => this.#look(), this.#intervalMs)
    this.#timer.unref()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const progress = Atomics.load(this.#words, WriterWord.Progress)
    const isSyncing = Atomics.load(this.#words, WriterWord.Syncing) !== 0
    const now = performance.now()
    // Where this thread could not look in time, the whole process may have been stopped, and the writer with it.
    const isLate = now - this.#lookedAt > 2 * this.#intervalMs
    this.#lookedAt = now
    if (progress !== this.#seen || isSyncing || isLate || !this.#isWaited()) {
      this.#seen = progress
      this.#since = now
      return
    }
    if (now - this.#since < this.#limitMs) return
    this[Symbol.dispose]()
    this.#onStall()
  }
}
