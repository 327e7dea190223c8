import { Worker } from 'node:worker_threads'
import { onTestFinished } from 'vitest'
import { ThreadPool } from '../src/index.ts'
import type { ThreadPoolOptions } from '../src/index.ts'
import type { StartWorker } from '../src/thread.ts'
import type { worker } from './tasks-worker.ts'

/** A pool of `tasks-worker.ts`, and the means to look inside. */
export interface TestPool {
  pool: ThreadPool<typeof worker>
  /** Shared with the handlers. */
  words: Int32Array
  /** The workers that are alive. */
  workers: Set<Worker>
  /** Waits until handlers have counted a word up to a number. */
  reached: (word: number, value: number) => Promise<void>
  /** Opens a gate. */
  open: (word: number) => void
}

/** Makes a pool that the end of the test destroys. */
export function makePool(options: Partial<ThreadPoolOptions> = {}): TestPool {
  const words = new Int32Array(new SharedArrayBuffer(4 * 64))
  const workers = new Set<Worker>()
  const startWorker: StartWorker = (entry, workerOptions) => {
    const worker = new Worker(entry, { ...workerOptions, stderr: true })
    workers.add(worker)
    worker.on('exit', () => workers.delete(worker))
    return worker
  }
  const pool = new ThreadPool<typeof worker>(
    {
      worker: new URL('./tasks-worker.ts', import.meta.url),
      workerData: { words },
      // On a busy machine a thread may take as long as it likes.
      startTimeoutMs: Infinity,
      ...options,
    },
    startWorker,
  )
  onTestFinished(() => pool.destroy())
  return { pool, words, workers, ...gates(words) }
}

/** The test's side of the gates in `tasks-worker.ts`. */
export function gates(words: Int32Array): Pick<TestPool, 'reached' | 'open'> {
  return {
    async reached(word, value) {
      for (;;) {
        const seen = Atomics.load(words, word)
        if (seen >= value) return
        // The limit keeps the process alive meanwhile, which the wait alone does not.
        const wait = Atomics.waitAsync(words, word, seen, 60_000)
        const keepAlive = setInterval(() => {}, 60_000)
        await wait.value
        clearInterval(keepAlive)
      }
    },
    open(word) {
      Atomics.store(words, word, 2)
      Atomics.notify(words, word)
    },
  }
}

/** The code of the error that a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
    return 'fulfilled'
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error
  }
}

/** The first event of a kind. */
export function nextEvent<T>(
  pool: { once(event: string, listener: (event: T) => void): unknown },
  event: string,
): Promise<T> {
  return new Promise((resolve) => pool.once(event, resolve))
}

/**
 * Blocks this thread until a handler is at its gate, so that its thread has answered all that came before it, and then for longer than
 * a limit. Behind a turn of `setImmediate`, timers are next, and messages only then.
 */
export function block(words: Int32Array, word: number, limitMs: number): void {
  Atomics.wait(words, word, 0, 60_000)
  const begun = performance.now()
  while (performance.now() - begun < 2 * limitMs) {
    // Busy.
  }
}
