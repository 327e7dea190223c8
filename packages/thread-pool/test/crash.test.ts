import { EventEmitter } from 'node:events'
import process from 'node:process'
import { Worker } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { expect, onTestFinished, test, vi } from 'vitest'
import { ThreadPool, ThreadPoolError } from '../src/index.ts'
import type { StartWorker, ThreadExitEvent, WorkerLike } from '../src/index.ts'
import type { BootMessage, ToPool, ToThread } from '../src/messages.ts'
import { WorkerRuntime } from '../src/worker-runtime.ts'
import { outputOf, processGone } from './own-process.ts'
import { codeOf, makePool, nextEvent } from './pools.ts'
import type { worker } from './tasks-worker.ts'

test('a handler that exits rejects its own task with the exit code, and no other', async () => {
  const { pool } = makePool({ threads: 2 })
  const others = Array.from({ length: 20 }, (_, index) => pool.run(index))
  const failure: unknown = await pool.run(7, { name: 'exit' }).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(ThreadPoolError)
  expect(failure).toMatchObject({ code: 'ERR_WORKER_EXITED', exitCode: 7, crashes: 1 })
  expect(await Promise.all(others)).toEqual(Array.from({ length: 20 }, (_, index) => index))
  expect(await pool.run('next')).toBe('next')
})

test('a handler that exits with code 0 rejects its task as well', async () => {
  const { pool } = makePool({ threads: 1 })
  expect(await codeOf(pool.run(0, { name: 'exit' }))).toBe('ERR_WORKER_EXITED')
  expect(await pool.run('next')).toBe('next')
})

test('an exception outside of a task ends the thread and rejects what it had in hand', async () => {
  const { pool } = makePool({ threads: 1, concurrentTasksPerWorker: 2 })
  const failure: unknown = await pool
    .run(undefined, { name: 'failLater' })
    .catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'ERR_WORKER_EXITED' })
  expect((failure as Error).cause).toMatchObject({ message: 'thrown outside of any task' })
})

test('a thread that is terminated while it works is replaced', async () => {
  const { pool, workers, reached } = makePool({ threads: 1 })
  const task = codeOf(pool.run(1, { name: 'gate' }))
  await reached(1, 1)
  const exit = nextEvent<ThreadExitEvent>(pool, 'workerDestroy')
  for (const worker of workers) void worker.terminate()
  expect(await task).toBe('ERR_WORKER_EXITED')
  expect(await exit).toMatchObject({ expected: false })
  expect(await pool.run('next')).toBe('next')
})

test('a handler that runs out of memory rejects its task, or takes the whole process along', () => {
  expect([processGone, 'ERR_WORKER_EXITED, because of ERR_WORKER_OUT_OF_MEMORY\nnext\n']).toContain(
    outputOf(new URL('./out-of-memory.ts', import.meta.url)),
  )
})

test('a thread that ends with something unheard that is too deep to be read is replaced', async () => {
  const startWorker: StartWorker = () => new WorkerThatSaysDeep()
  const pool = new ThreadPool({ worker: 'unused.js', threads: 1, crashLoopLimit: 1 }, startWorker)
  onTestFinished(() => pool.destroy())
  const error = await pool.run('lost').catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'ERR_WORKER_START', exitCode: 3 })
  expect(pool.metrics()).toMatchObject({ pending: 0, threads: { starting: 0 } })
})

/** Ends at once, and what it says is heard only then. A thread of its own says it, whose stack is larger than ours. */
class WorkerThatSaysDeep extends EventEmitter implements WorkerLike {
  readonly threadId: number = 1000

  postMessage({ port }: BootMessage): void {
    const said = new Int32Array(new SharedArrayBuffer(4))
    const code = `
      const { port, said } = require('node:worker_threads').workerData
      let value = 1
      for (let level = 0; level < 20_000; level++) value = [value]
      port.postMessage({ type: 'result', tag: 0, value, startedAt: 0, runUs: 0 })
      Atomics.store(said, 0, 1)
      Atomics.notify(said, 0)
    `
    const thread = new Worker(code, {
      eval: true,
      workerData: { port, said },
      transferList: [port],
      resourceLimits: { stackSizeMb: 64 },
    })
    thread.unref()
    Atomics.wait(said, 0, 0)
    process.nextTick(() => this.emit('exit', 3))
  }

  async terminate(): Promise<number> {
    return 1
  }

  unref(): void {
    // The test's thread stays anyway.
  }
}

test('a thread that is terminated with a cloned value on its way settles the task', async () => {
  class Box {
    readonly word: number
    constructor(word: number) {
      this.word = word
    }
  }
  const { pool, words, workers } = makePool({ threads: 1, crashLoopLimit: Infinity })
  for (let word = 1; word <= 30; word++) {
    await pool.run('warm')
    const task = codeOf(pool.run(new Box(word), { name: 'countBoxed' }))
    // Before, while and after it arrives.
    for (let turn = 0; turn < word % 4; turn++) await new Promise(setImmediate)
    for (const worker of workers) void worker.terminate()
    expect(['fulfilled', 'ERR_WORKER_EXITED']).toContain(await task)
    expect(words[word]).toBeLessThan(2)
  }
})

test('a task that its thread held back until another one had its value is sent again', async () => {
  const { pool, words, workers, reached } = makePool({ threads: 1, crashLoopLimit: Infinity })
  for (let word = 1; word < 20; word += 2) {
    // Short ones, after which it takes more than what it waits for.
    await Promise.all(Array.from({ length: 5 }, () => pool.run(/by the port/)))
    const first = pool.run('first')
    const dying = codeOf(pool.run(Object(word) as number, { name: 'gate', transferList: [] }))
    const behind = pool.run(word + 1, { name: 'count' })
    await reached(word, 1)
    for (const worker of workers) void worker.terminate()
    expect(await dying).toBe('ERR_WORKER_EXITED')
    expect([await first, await behind]).toEqual(['first', 1])
    expect(words[word + 1]).toBe(1)
  }
})

test('a task that may run twice is sent again when its thread has died', async () => {
  const { pool, words } = makePool({ threads: 1 })
  expect(await pool.run(5, { name: 'exitOnce', retry: 1 })).toBe('survived')
  expect(words[5]).toBe(2)
  expect(pool.metrics()).toMatchObject({ retried: 1, crashes: 1 })
})

test('a task that may not run twice is not sent again', async () => {
  const { pool, words } = makePool({ threads: 1 })
  expect(await codeOf(pool.run(5, { name: 'exitOnce' }))).toBe('ERR_WORKER_EXITED')
  expect(words[5]).toBe(1)
})

test('a task that kills thread after thread is quarantined, and so is its key', async () => {
  const { pool } = makePool({ threads: 1, quarantineAfter: 2 })
  const event = nextEvent(pool, 'taskQuarantined')
  const task = pool.run(1, { name: 'exit', retry: 100, key: 'poison' })
  expect(await codeOf(task)).toBe('ERR_TASK_QUARANTINED')
  expect(await event).toEqual({ name: 'exit', key: 'poison', crashes: 2 })
  expect(await codeOf(pool.run(1, { key: 'poison' }))).toBe('ERR_TASK_QUARANTINED')
  expect(pool.metrics()).toMatchObject({ quarantined: ['poison'], crashes: 2 })
  expect(pool.release('poison')).toBe(true)
  expect(await pool.run(1, { key: 'poison' })).toBe(1)
})

test('the first thread that a task kills is enough to quarantine it where that is said', async () => {
  const { pool } = makePool({ threads: 1, quarantineAfter: 1 })
  expect(await codeOf(pool.run(1, { name: 'exit', retry: 1 }))).toBe('ERR_TASK_QUARANTINED')
  expect(await codeOf(pool.run(1, { name: 'exit', key: 'key' }))).toBe('ERR_TASK_QUARANTINED')
  expect(pool.metrics()).toMatchObject({ quarantined: ['key'], crashes: 2, retried: 0 })
})

test('a thread counts once for a key, however many of its tasks it died with', async () => {
  const { pool, reached } = makePool({
    threads: 1,
    concurrentTasksPerWorker: 3,
    quarantineAfter: 2,
  })
  const waiting = [1, 2].map((word) => codeOf(pool.run(word, { name: 'gateLater', key: 'key' })))
  await reached(1, 1)
  await reached(2, 1)
  expect(await codeOf(pool.run(9, { name: 'exit' }))).toBe('ERR_WORKER_EXITED')
  expect(await Promise.all(waiting)).toEqual(['ERR_WORKER_EXITED', 'ERR_WORKER_EXITED'])
  expect(await pool.run(1, { key: 'key' })).toBe(1)
  expect(pool.metrics()).toMatchObject({ quarantined: [], crashes: 1 })
  expect(await codeOf(pool.run(9, { name: 'exit', key: 'key' }))).toBe('ERR_TASK_QUARANTINED')
  expect(pool.metrics()).toMatchObject({ quarantined: ['key'], crashes: 2 })
})

test('a thread that the pool has terminated counts for no key, and for none of its tasks', async () => {
  const { pool, reached } = makePool({
    threads: 1,
    concurrentTasksPerWorker: 3,
    killAfterMs: 0,
    quarantineAfter: 1,
  })
  const waiting = [
    pool.run(1, { name: 'gateLater', key: 'key', retry: 1 }),
    pool.run(2, { name: 'gateLater', retry: 1 }),
  ]
  await reached(1, 1)
  await reached(2, 1)
  const controller = new AbortController()
  const deaf = codeOf(pool.run(3, { name: 'forever', signal: controller.signal }))
  await reached(3, 1)
  controller.abort('enough')
  expect(await deaf).toBe('enough')
  expect(await Promise.all(waiting)).toEqual([1, 2])
  expect(pool.metrics()).toMatchObject({ quarantined: [], crashes: 0, retried: 2 })
})

test('tasks with a transferList that wait behind one whose thread is killed run in the next', async () => {
  const { pool, reached } = makePool({ threads: 1, killAfterMs: 0 })
  const run = async (size: number): Promise<number> => {
    const bytes = new Uint8Array(size)
    const result = (await pool.run(bytes, { transferList: [bytes.buffer] })) as Uint8Array
    return result.length
  }
  // Short ones, after which it takes more than what it waits for.
  await Promise.all(Array.from({ length: 20 }, () => run(1)))
  const controller = new AbortController()
  const first = run(1)
  const deaf = codeOf(pool.run(Object(1) as number, { name: 'forever', signal: controller.signal }))
  const behind = Promise.all([1, 2, 3, 4].map(run))
  await first
  await reached(1, 1)
  controller.abort('enough')
  expect(await deaf).toBe('enough')
  expect(await behind).toEqual([1, 2, 3, 4])
})

test.each([
  { quarantineAfter: 2, code: 'ERR_TASK_QUARANTINED', quarantined: ['poison'] },
  { quarantineAfter: 3, code: 'ERR_WORKER_EXITED', quarantined: [] },
])(
  'a value that its threads die of reading is sent once more: $code',
  async ({ quarantineAfter, code, quarantined }) => {
    let clockMs = 1000
    vi.spyOn(performance, 'now').mockImplementation(() => clockMs)
    onTestFinished(() => void vi.restoreAllMocks())
    // Long tasks: a thread that waits for a value takes nothing else, which it could not give back here.
    const handler = (task: unknown): unknown => {
      clockMs += 10
      return task
    }
    const startWorker: StartWorker = () => new MortalWorker(handler, dieReadingPatterns)
    const pool = new ThreadPool(
      { worker: 'unused.js', threads: 1, terminable: false, quarantineAfter },
      startWorker,
    )
    onTestFinished(async () => {
      await pool.close({ timeoutMs: 0 })
    })
    const first = pool.run('first')
    const failure: unknown = await pool
      .run(/deadly/, { key: 'poison' })
      .catch((error: unknown) => error)
    expect(failure).toMatchObject({ code, exitCode: 5, crashes: 2 })
    expect(await first).toBe('first')
    expect(await pool.run('next')).toBe('next')
    expect(pool.metrics()).toMatchObject({ quarantined, crashes: 2, retried: 0, pending: 0 })
  },
)

test('values that were sent together with a deadly one are not taken for it', async () => {
  const startWorker: StartWorker = () => new MortalWorker((task) => task, dieReadingPatterns)
  const pool = new ThreadPool(
    { worker: 'unused.js', threads: 1, terminable: false, concurrentTasksPerWorker: 4 },
    startWorker,
  )
  onTestFinished(async () => {
    await pool.close({ timeoutMs: 0 })
  })
  const first = pool.run('first')
  // As many as a thread asks for here: it takes nothing else, which it could not give back.
  const deadly = codeOf(pool.run(/deadly/))
  const others = [1, 2, 3].map((value) => pool.run(Object(value), { key: 'innocent' }))
  expect(await deadly).toBe('ERR_TASK_QUARANTINED')
  expect((await Promise.all(others)).map(Number)).toEqual([1, 2, 3])
  expect(await first).toBe('first')
  expect(pool.metrics()).toMatchObject({ crashes: 3, lost: 1, quarantined: [] })
})

test('what a handler has killed is not taken for the deed of a value that is still to be read', async () => {
  const { pool } = makePool({ threads: 1, concurrentTasksPerWorker: 4 })
  for (let round = 0; round < 5; round++) {
    const guilty = codeOf(pool.run(5, { name: 'exit' }))
    const innocent = [1, 2, 3].map((value) => pool.run(Object(value), { key: 'innocent' }))
    expect(await guilty).toBe('ERR_WORKER_EXITED')
    expect((await Promise.all(innocent)).map(Number)).toEqual([1, 2, 3])
  }
  expect(pool.metrics()).toMatchObject({ lost: 5, quarantined: [] })
})

test('a value that a thread had asked for before it died is not sent there', async () => {
  let starts = 0
  const pool = new ThreadPool(
    { worker: 'unused.js', threads: 1, terminable: false, quarantineAfter: 1 },
    () => new MortalWorker((task) => task, starts++ === 0 ? dieAsking : () => {}),
  )
  onTestFinished(async () => {
    await pool.close({ timeoutMs: 0 })
  })
  const first = pool.run('first')
  const bytes = new Uint8Array([1, 2, 3])
  const moved = pool.run(bytes, { transferList: [bytes.buffer] })
  const cloned = pool.run(Object(4))
  const behind = pool.run('behind')
  expect(await moved).toEqual(new Uint8Array([1, 2, 3]))
  expect([await first, Number(await cloned), await behind]).toEqual(['first', 4, 'behind'])
  expect(pool.metrics()).toMatchObject({ crashes: 1, lost: 0 })
})

/** Runs in the thread of the test, until something on its port ends it. What it had in hand it keeps. */
class MortalWorker extends EventEmitter implements WorkerLike {
  static #threadIds = 2000
  readonly threadId: number = MortalWorker.#threadIds++
  readonly #handler: (task: unknown) => unknown
  readonly #prepare: (port: MessagePort, die: () => void) => void

  constructor(handler: (task: unknown) => unknown, prepare: typeof dieReadingPatterns) {
    super()
    this.#handler = handler
    this.#prepare = prepare
  }

  postMessage(boot: BootMessage): void {
    this.#prepare(boot.port, () => {
      const code = 'ERR_WORKER_OUT_OF_MEMORY'
      this.emit('error', Object.assign(new Error('It has run out of memory'), { code }))
      this.emit('exit', 5)
    })
    void this.#run(boot)
  }

  async #run(boot: BootMessage): Promise<void> {
    const handlers = { default: this.#handler }
    await new WorkerRuntime(boot, undefined).run({ handlers }, undefined)
    setImmediate(() => this.emit('exit', 0))
  }

  async terminate(): Promise<number> {
    return 1
  }

  unref(): void {
    // The test's thread stays anyway.
  }
}

/** Where a regular expression would be read, as a thread does whose memory is full by it. */
function dieReadingPatterns(port: MessagePort, die: () => void): void {
  const listen = port.on.bind(port)
  let isDead = false
  port.on = ((event: 'message', listener: (message: ToThread) => void) =>
    listen(event, (message: ToThread) => {
      if (isDead) return
      isDead = message.type === 'values' && message.values.some(isPattern)
      if (isDead) setImmediate(die)
      else listener(message)
    })) as typeof port.on
}

/** Before the pool hears what is asked for. */
function dieAsking(port: MessagePort, die: () => void): void {
  const post = port.postMessage.bind(port)
  port.postMessage = (message: ToPool) => {
    post(message)
    if (message.type === 'ask') die()
  }
}

function isPattern(value: unknown): boolean {
  return value instanceof RegExp
}

test('tasks of an asynchronous thread that dies are all rejected', async () => {
  const { pool, reached } = makePool({ threads: 1, concurrentTasksPerWorker: 3 })
  const waiting = [1, 2].map((word) => codeOf(pool.run(word, { name: 'gateLater' })))
  await reached(1, 1)
  await reached(2, 1)
  expect(await codeOf(pool.run(9, { name: 'exit' }))).toBe('ERR_WORKER_EXITED')
  expect(await Promise.all(waiting)).toEqual(['ERR_WORKER_EXITED', 'ERR_WORKER_EXITED'])
})

test('a loop of crashes opens the breaker, which refuses tasks until it is tried again', async () => {
  const { pool } = makePool({ threads: 1, crashLoopLimit: 3, crashLoopPauseMs: 50 })
  const opened = nextEvent(pool, 'breakerOpen')
  const tasks = Array.from({ length: 8 }, () => codeOf(pool.run(1, { name: 'exit' })))
  expect(await opened).toMatchObject({ deaths: 3 })
  const codes = await Promise.all(tasks)
  expect(codes.slice(0, 3)).toEqual(Array.from({ length: 3 }, () => 'ERR_WORKER_EXITED'))
  expect(codes.slice(3)).toEqual(Array.from({ length: 5 }, () => 'ERR_CRASH_LOOP'))
  expect(await codeOf(pool.run(1))).toBe('ERR_CRASH_LOOP')
  await nextEvent(pool, 'workerReady')
  const closed = nextEvent(pool, 'breakerClose')
  expect(await pool.run('again')).toBe('again')
  await closed
  expect(pool.metrics().breaker).toBe('closed')
})

test('a breaker with an endless pause stays open', async () => {
  const { pool } = makePool({ threads: 1, crashLoopLimit: 1, crashLoopPauseMs: Infinity })
  const opened = nextEvent(pool, 'breakerOpen')
  // These make a millisecond of what is too long, as those of Node do.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    expect(await codeOf(pool.run(1, { name: 'exit' }))).toBe('ERR_WORKER_EXITED')
    await opened
    vi.advanceTimersByTime(24 * 60 * 60 * 1000)
    expect(pool.metrics().breaker).toBe('open')
  } finally {
    vi.useRealTimers()
  }
})

test.each([0, 1])(
  'a module that cannot be loaded is an error with its path, with %i threads',
  async (min) => {
    const worker = new URL('./missing.ts', import.meta.url)
    const { pool } = makePool({ minThreads: min, maxThreads: 1, worker })
    const failure: unknown = await pool.run(1).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'ERR_WORKER_START' })
    expect((failure as Error).message).toContain('/test/missing.ts')
  },
)

test('a setup that throws is an error of the start', async () => {
  const { pool } = makePool({ threads: 1, workerData: { failSetup: true } })
  const failure: unknown = await pool.run(1).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'ERR_WORKER_START' })
  expect((failure as Error).message).toContain('setup of thread 0 failed')
})

test('an entry that a bundler has lost is an error with its path', async () => {
  const { pool } = makePool({ threads: 1, entry: new URL('./no-entry.js', import.meta.url) })
  const failure: unknown = await pool.run(1).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'ERR_WORKER_START' })
  expect((failure as Error).message).toContain('/test/no-entry.js')
})

test('an entry that never says hello is an error with its path', async () => {
  const entry = new URL('./silent-entry.ts', import.meta.url)
  const { pool } = makePool({ threads: 1, startTimeoutMs: 1, entry })
  const failure: unknown = await pool.run(1).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'ERR_WORKER_START' })
  expect((failure as Error).message).toContain('/test/silent-entry.ts has not said hello')
})

test('a thread that cannot be made is a death, and costs no task', async () => {
  let starts = 0
  const pool = new ThreadPool<typeof worker>(
    {
      worker: new URL('./tasks-worker.ts', import.meta.url),
      threads: 1,
      startTimeoutMs: Infinity,
    },
    (entry, options) => {
      starts++
      // What the system says that has no more threads to give.
      if (starts === 2 || starts === 3) throw new Error('EAGAIN')
      return new Worker(entry, options)
    },
  )
  onTestFinished(() => pool.destroy())
  const errors: unknown[] = []
  pool.on('error', (error) => errors.push(error))
  const dying = codeOf(pool.run(1, { name: 'exit' }))
  const waiting = pool.run('waiting')
  expect(await dying).toBe('ERR_WORKER_EXITED')
  expect(await waiting).toBe('waiting')
  expect(errors).toMatchObject([
    { code: 'ERR_WORKER_START', cause: { message: 'EAGAIN' } },
    { code: 'ERR_WORKER_START', cause: { message: 'EAGAIN' } },
  ])
  expect(pool.metrics()).toMatchObject({ crashes: 3, breaker: 'closed' })
})

test.each([0, 1])('workerData that cannot be cloned is an error, with %i threads', async (min) => {
  const { pool } = makePool({ minThreads: min, maxThreads: 4, workerData: () => 1 })
  const failure: unknown = await pool.run(1).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'ERR_WORKER_START', cause: { name: 'DataCloneError' } })
  expect(pool.pending).toBe(0)
  expect(pool.metrics()).toMatchObject({ crashes: 1, breaker: 'open' })
  await pool.close()
})

test('an open breaker refuses what waits when the last thread is ended on purpose', async () => {
  const { pool, reached } = makePool({
    threads: 2,
    crashLoopLimit: 1,
    crashLoopPauseMs: Infinity,
    killAfterMs: 0,
  })
  await nextEvent(pool, 'workerReady')
  await nextEvent(pool, 'workerReady')
  const controller = new AbortController()
  const busy = codeOf(pool.run(1, { name: 'forever', signal: controller.signal }))
  await reached(1, 1)
  const opened = nextEvent(pool, 'breakerOpen')
  expect(await codeOf(pool.run(1, { name: 'exit' }))).toBe('ERR_WORKER_EXITED')
  await opened
  const waiting = codeOf(pool.run('waiting'))
  controller.abort('enough')
  expect(await busy).toBe('enough')
  expect(await waiting).toBe('ERR_CRASH_LOOP')
})
