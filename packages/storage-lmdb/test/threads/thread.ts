import { on, once } from 'node:events'
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
  const messages = on(worker, 'message', { close: ['exit'] })
  return {
    worker,
    async message() {
      const { value, done } = (await messages.next()) as IteratorResult<[T], undefined>
      if (done !== true) return value[0]
      await exit
      throw new Error('The thread ended without a message')
    },
    async ended() {
      await exit
    },
    async [Symbol.asyncDispose]() {
      await exit
    },
  }
}
