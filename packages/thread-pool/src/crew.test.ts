import { EventEmitter } from 'node:events'
import { createWorkQueue } from '@elkyn/work-queue'
import { expect, onTestFinished, test } from 'vitest'
import { Crew } from './crew.ts'
import type { BootMessage } from './messages.ts'
import { resolveOptions } from './options.ts'
import type { WorkerLike } from './thread.ts'

/** A worker that is ready at once, and never ends by itself. */
class EndlessWorker extends EventEmitter implements WorkerLike {
  readonly threadId: number = 1

  postMessage({ port }: BootMessage): void {
    port.postMessage({ type: 'ready', participant: 1, names: [] })
    onTestFinished(() => port.close())
  }

  async terminate(): Promise<void> {
    this.emit('exit', 1)
  }

  unref(): void {
    // It holds nothing.
  }
}

test('Crew retires no thread while another one has not ended', async () => {
  const ready = Promise.withResolvers<void>()
  let left = 3
  const queue = createWorkQueue()
  const ignore = (): void => {}
  const crew = new Crew(
    resolveOptions({ worker: 'unused.js', minThreads: 0, maxThreads: 3, idleTimeoutMs: 0 }),
    {
      queue: queue.handle,
      tasks: new SharedArrayBuffer(12),
      doorbell: new SharedArrayBuffer(64),
      startWorker: () => new EndlessWorker(),
    },
    {
      onCreate: ignore,
      onReady: () => --left === 0 && ready.resolve(),
      onMessage: ignore,
      onExit: async () => {},
      onScale: ignore,
      onFail: ignore,
      onBreak: ignore,
      onBroken: ignore,
    },
  )
  onTestFinished(() => {
    crew.close()
    for (const thread of crew.threads) thread.terminate()
  })
  crew.minThreads = 3
  crew.observe(0, 0)
  // Holds the process, which the ports of threads do not.
  const timer = setInterval(ignore, 60_000)
  await ready.promise
  clearInterval(timer)
  crew.minThreads = 0
  for (let count = 0; count < 5; count++) crew.observe(0, 0)
  expect([crew.count('ready'), crew.count('stopping')]).toEqual([2, 1])
  for (const thread of crew.threads) if (thread.state === 'stopping') thread.terminate()
  crew.observe(0, 0)
  expect([crew.count('ready'), crew.count('stopping')]).toEqual([1, 1])
})
