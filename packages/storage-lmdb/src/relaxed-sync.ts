import type { Lmdb } from './lmdb.ts'

const INTERVAL_MS = 1000

/** Brings `relaxed` commits to the disk once a second. */
export class RelaxedSync {
  readonly #lmdb: Lmdb
  readonly #timer: NodeJS.Timeout
  /** The one that goes on now. */
  #running: Promise<void> | undefined
  /** Why they did not get there; the next writer is told. */
  #error: unknown

  constructor(lmdb: Lmdb) {
    this.#lmdb = lmdb
    this.#timer = setInterval(() => {
      // A slow disk gains nothing by a second one.
      this.#running ??= this.#sync()
    }, INTERVAL_MS).unref()
  }

  /** @throws once what a sync failed with. */
  check(): void {
    const error = this.#error
    if (error === undefined) return
    this.#error = undefined
    throw error
  }

  /** Resolves when none goes on any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#running
  }

  async #sync(): Promise<void> {
    try {
      await this.#lmdb.sync()
    } catch (error) {
      // What the system could not write it may forget, so that a later sync says nothing of it.
      this.#error = error
    } finally {
      this.#running = undefined
    }
  }
}
