import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** A worker thread of `test/threads`, which is waited for at the end of the block that ran it. */
export interface Thread<T> extends AsyncDisposable {
  readonly worker: Worker
  /** The next message that it posts. Rejects when the thread fails. */
  message(): Promise<T>
  /** Resolves when it has ended by itself. Rejects when it failed. */
  ended(): Promise<void>
}

export function runThread<T>(name: string, workerData: unknown): Thread<T> {
  const worker = new Worker(new URL(`${name}.ts`, import.meta.url), { workerData })
  const exit = once(worker, 'exit')
  exit.catch(() => {})
  return {
    worker,
    async message() {
      const [message] = (await Promise.race([once(worker, 'message'), gone(exit)])) as [T]
      return message
    },
    async ended() {
      await exit
    },
    async [Symbol.asyncDispose]() {
      await exit
    },
  }
}

async function gone(exit: Promise<unknown>): Promise<never> {
  await exit
  throw new Error('The thread ended without a message')
}
