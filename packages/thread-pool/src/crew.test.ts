import { EventEmitter } from 'node:events'
import { createWorkQueue } from '@elkyn/work-queue'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Crew } from './crew.ts'
import type { BootMessage } from './messages.ts'
import { resolveOptions } from './options.ts'
import type { ThreadPoolOptions } from './options.ts'
import type { WorkerLike } from './thread.ts'

/** A worker that is ready at once, or never, and never ends by itself. */
class EndlessWorker extends EventEmitter implements WorkerLike {
  readonly threadId: number = 1
  readonly #isReady: boolean

  constructor(isReady: boolean) {
    super()
    this.#isReady = isReady
  }

  postMessage({ port }: BootMessage): void {
    if (this.#isReady) port.postMessage({ type: 'ready', participant: 1, names: [] })
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

/** A crew, once the minimum of its threads is ready. @param fitting how many can be ready in all */
async function startCrew(
  options: Omit<ThreadPoolOptions, 'worker'>,
  min: number,
  fitting = Infinity,
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
        const worker = new EndlessWorker(workers.length < fitting)
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
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
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

test('Crew tries what cannot start ever later, however many tasks others get done', async () => {
  const { crew, workers } = await startCrew({ minThreads: 2, maxThreads: 8 }, 2, 2)
  fakeTimers()
  // Tasks wait for long all the time.
  let time = 0
  const tries: number[] = []
  while (time < 12_000) {
    crew.guard.progressed()
    crew.observe(9, 1000)
    for (const worker of workers.splice(2)) {
      tries.push(time)
      worker.emit('exit', 1)
    }
    vi.advanceTimersByTime(10)
    time += 10
  }
  // The first two at once, because nothing was known against them.
  expect(tries).toEqual([0, 0, 10, 30, 70, 150, 310, 630, 1270, 2550, 5110, 10_110])
  expect([crew.guard.state, crew.threads.size]).toEqual(['closed', 2])
})

test('Crew does not replace what could not start beyond its minimum, and retires others', async () => {
  const options = { minThreads: 1, maxThreads: 4, idleTimeoutMs: 0 }
  const { crew, workers } = await startCrew(options, 2, 2)
  crew.minThreads = 1
  fakeTimers()
  crew.observe(9, 1000)
  expect(crew.count('starting')).toBe(2)
  for (const worker of workers.slice(2)) worker.emit('exit', 1)
  vi.advanceTimersByTime(10_000)
  expect(crew.threads.size).toBe(2)
  crew.observe(0, 0)
  expect([crew.count('ready'), crew.count('stopping')]).toEqual([1, 1])
})

test('Crew replaces what could not start up to its minimum, ever later', async () => {
  const { crew, workers } = await startCrew({ minThreads: 1, maxThreads: 2 }, 1, 1)
  crew.minThreads = 2
  fakeTimers()
  crew.observe(0, 0)
  const delays: number[] = []
  for (let count = 0; count < 4; count++) {
    crew.guard.progressed()
    const before = workers.length
    workers.at(-1)?.emit('exit', 1)
    const began = performance.now()
    while (workers.length === before) vi.advanceTimersToNextTimer()
    delays.push(performance.now() - began)
  }
  expect(delays).toEqual([0, 10, 20, 40])
  expect([crew.guard.state, crew.threads.size]).toEqual(['closed', 2])
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
