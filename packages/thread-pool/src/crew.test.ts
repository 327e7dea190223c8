import { EventEmitter } from 'node:events'
import { createWorkQueue } from '@elkyn/work-queue'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Crew } from './crew.ts'
import type { BootMessage } from './messages.ts'
import { resolveOptions } from './options.ts'
import type { ThreadPoolOptions } from './options.ts'
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

const ignore = (): void => {}

interface TestCrew {
  crew: Crew
  /** In the order in which they were started. */
  workers: EndlessWorker[]
}

/** A crew, once the minimum of its threads is ready. */
async function startCrew(
  options: Omit<ThreadPoolOptions, 'worker'>,
  min: number,
): Promise<TestCrew> {
  const ready = Promise.withResolvers<void>()
  const workers: EndlessWorker[] = []
  let left = min
  const crew = new Crew(
    resolveOptions({ worker: 'unused.js', ...options }),
    {
      queue: createWorkQueue().handle,
      tasks: new SharedArrayBuffer(12),
      doorbell: new SharedArrayBuffer(64),
      startWorker: () => {
        const worker = new EndlessWorker()
        workers.push(worker)
        return worker
      },
    },
    {
      onCreate: ignore,
      onReady: () => --left === 0 && ready.resolve(),
      onMessage: ignore,
      onExit: async () => {},
      onScale: ignore,
      onFail: ignore,
      onBreak: ignore,
      onPauseOver: () => crew.observe(0, 0),
      onBroken: ignore,
    },
  )
  onTestFinished(() => {
    crew.close()
    for (const thread of crew.threads) thread.terminate()
  })
  crew.minThreads = min
  crew.observe(0, 0)
  // Holds the process, which the ports of threads do not.
  const timer = setInterval(ignore, 60_000)
  await ready.promise
  clearInterval(timer)
  return { crew, workers }
}

function fakeTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => {
    vi.useRealTimers()
  })
}

test('Crew retires no thread while another one has not ended', async () => {
  const { crew } = await startCrew({ minThreads: 0, maxThreads: 3, idleTimeoutMs: 0 }, 3)
  crew.minThreads = 0
  for (let count = 0; count < 5; count++) crew.observe(0, 0)
  expect([crew.count('ready'), crew.count('stopping')]).toEqual([2, 1])
  for (const thread of crew.threads) if (thread.state === 'stopping') thread.terminate()
  crew.observe(0, 0)
  expect([crew.count('ready'), crew.count('stopping')]).toEqual([1, 1])
})

test('Crew starts no more threads than it may have when a task closes the breaker during its pause', async () => {
  const options = { threads: 4, crashLoopLimit: 1, crashLoopPauseMs: 1000 }
  const { crew, workers } = await startCrew(options, 4)
  fakeTimers()
  for (const worker of workers.slice(1)) worker.emit('exit', 1)
  expect([crew.guard.state, crew.threads.size]).toEqual(['open', 1])
  crew.guard.progressed()
  crew.observe(0, 0)
  expect(crew.threads.size).toBe(4)
  vi.advanceTimersByTime(1000)
  expect(crew.threads.size).toBe(4)
})

test('Crew has its minimum again behind the pause, however many have died', async () => {
  const options = { threads: 4, crashLoopLimit: 1, crashLoopPauseMs: 1000 }
  const { crew, workers } = await startCrew(options, 4)
  fakeTimers()
  for (const worker of workers.slice(2)) worker.emit('exit', 1)
  vi.advanceTimersByTime(999)
  // That the breaker is open already makes its pause no longer.
  workers[1]?.emit('exit', 1)
  expect([crew.guard.state, crew.threads.size]).toEqual(['open', 1])
  vi.advanceTimersByTime(1)
  expect([crew.guard.state, crew.threads.size]).toEqual(['trying', 4])
})

test('a pause of the breaker that was cut short ends no later one', async () => {
  const options = { threads: 2, crashLoopLimit: 1, crashLoopPauseMs: 1000 }
  const { crew, workers } = await startCrew(options, 2)
  fakeTimers()
  workers[1]?.emit('exit', 1)
  crew.guard.progressed()
  vi.advanceTimersByTime(999)
  workers[0]?.emit('exit', 1)
  vi.advanceTimersByTime(999)
  expect([crew.guard.state, crew.threads.size]).toEqual(['open', 0])
  vi.advanceTimersByTime(1)
  expect([crew.guard.state, crew.threads.size]).toEqual(['trying', 2])
})
