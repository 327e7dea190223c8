import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test, vi } from 'vitest'
import { ThreadPool } from '../src/index.ts'
import type {
  ScaleEvent,
  TaskDiagnostics,
  ThreadExitEvent,
  ThreadPoolOptions,
} from '../src/index.ts'
import { makeCallerPool, makeFakePool } from './fake-worker.ts'
import { codeOf, gates, makePool, nextEvent } from './pools.ts'

test('threads are started while tasks wait, and retired when they are idle', async () => {
  const { pool, reached, open } = makePool({
    minThreads: 1,
    maxThreads: 3,
    scaleUpWaitMs: 1,
    idleTimeoutMs: 30,
  })
  const scaled: ScaleEvent[] = []
  pool.on('scale', (event) => scaled.push(event))
  const blockers = [1, 2, 3].map((word) => pool.run(word, { name: 'gate' }))
  // Each can only begin in a thread of its own.
  await Promise.all([1, 2, 3].map((word) => reached(word, 1)))
  expect(pool.threads).toBe(3)
  expect(scaled.map(({ reason }) => reason)).toEqual(scaled.map(() => 'queue wait'))
  for (const word of [1, 2, 3]) open(word)
  await Promise.all(blockers)
  while (pool.threads > 1) {
    expect(await nextEvent<ThreadExitEvent>(pool, 'workerDestroy')).toMatchObject({
      expected: true,
      exitCode: 0,
    })
  }
  expect(scaled.at(-1)).toMatchObject({ reason: 'idle', to: 1 })
  expect(await pool.run('still here')).toBe('still here')
})

test('a pool may have no threads until there is a task', async () => {
  const { pool } = makePool({ minThreads: 0, maxThreads: 1, idleTimeoutMs: 20 })
  expect(pool.threads).toBe(0)
  const gone = nextEvent(pool, 'workerDestroy')
  expect(await pool.run('first')).toBe('first')
  await gone
  expect(await pool.run('second')).toBe('second')
})

test('the number of threads that are always there can be changed', async () => {
  const { pool } = makePool({ minThreads: 1, maxThreads: 3, idleTimeoutMs: 20 })
  expect(pool.minThreads).toBe(1)
  await nextEvent(pool, 'workerReady')
  pool.minThreads = 3
  expect(pool.threads).toBe(3)
  await nextEvent(pool, 'workerReady')
  await nextEvent(pool, 'workerReady')
  expect(pool.metrics().threads).toMatchObject({ ready: 3 })
  pool.minThreads = 2
  await nextEvent(pool, 'workerDestroy')
  expect(pool.threads).toBe(2)
  expect(() => (pool.minThreads = 4)).toThrow('minThreads must be an integer from 0 to 3, not 4')
  expect(() => (pool.minThreads = 0.5)).toThrow(RangeError)
})

test("whenFull 'run-in-caller' runs the handler here", async () => {
  const { pool, reached, open } = makePool({
    threads: 1,
    maxQueue: 0,
    whenFull: 'run-in-caller',
  })
  const blocked = pool.run(1, { name: 'gate' })
  await reached(1, 1)
  const task = { a: 1 }
  const result = await pool.run(task)
  expect(result).toEqual(task)
  expect(result).not.toBe(task)
  expect(await pool.run(undefined, { name: 'where' })).toEqual({ thread: -1, name: 'where' })
  expect(await codeOf(pool.run('custom', { name: 'fail' }))).toBe('E_CUSTOM')
  expect(await codeOf(pool.run(2, { name: 'untilAborted', timeoutMs: 5 }))).toBe('ERR_TASK_TIMEOUT')
  const controller = new AbortController()
  const given = codeOf(pool.run(3, { name: 'untilAborted', signal: controller.signal }))
  controller.abort('enough')
  expect(await given).toBe('enough')
  open(1)
  await blocked
})

test('a name that the worker does not have is an error here as in a thread', async () => {
  const { pool } = makePool({ threads: 1, maxQueue: 0, whenFull: 'run-in-caller' })
  const name = 'absent' as 'default'
  const tasks = [pool.run(1, { name }), pool.run(2, { name })]
  const messages = tasks.map((task) => task.catch((error: Error) => error.message))
  const [inThread, here] = await Promise.all(messages)
  expect(here).toMatch('Cannot run "absent": the worker has "default", "later"')
  expect(here).toBe(inThread)
})

test('a handler that runs here has the copy of workerData that setup has', async () => {
  const notes: unknown[] = []
  const { pool } = makePool({
    threads: 1,
    maxQueue: 0,
    whenFull: 'run-in-caller',
    workerData: { notes },
  })
  const inThread = pool.run(1)
  expect(await pool.run('first', { name: 'note' })).toEqual(['setup', 'first'])
  expect(await pool.run('second', { name: 'note' })).toEqual(['setup', 'first', 'second'])
  expect(notes).toEqual([])
  expect(await inThread).toBe(1)
})

test('a setup that has failed here is an error as in a thread, and is tried again', async () => {
  const workerData = { failSetup: true }
  const pool = makeCallerPool(() => 'there', { workerData })
  const there = pool.run('here')
  expect(await codeOf(pool.run('here'))).toBe('ERR_WORKER_START')
  expect(await there).toBe('there')
  workerData.failSetup = false
  expect(await Promise.all([pool.run('here'), pool.run('here')])).toEqual(['there', 'here'])
})

test('a setup that takes too long here is an error as in a thread', async () => {
  const words = new Int32Array(new SharedArrayBuffer(64))
  const { open } = gates(words)
  const pool = makeCallerPool(() => 'there', {
    workerData: { words, setupGate: 1 },
    startTimeoutMs: 50,
  })
  const there = pool.run('there')
  await expect(pool.run('here')).rejects.toThrow(
    /has not finished loading and setting up within 50 ms$/,
  )
  expect(await there).toBe('there')
  // It is set up once, and others wait for that.
  const others = [pool.run('there'), pool.run('here')]
  open(1)
  expect(await Promise.all(others)).toEqual(['there', 'here'])
})

test('close() does not wait for a setup here that takes too long, and tears down what comes of it', async () => {
  const words = new Int32Array(new SharedArrayBuffer(64))
  const { open } = gates(words)
  const options = { workerData: { words, setupGate: 1 }, startTimeoutMs: 50 }
  const pool = makeCallerPool(() => 'there', options)
  const there = pool.run('there')
  expect(await codeOf(pool.run('here'))).toBe('ERR_WORKER_START')
  expect(await there).toBe('there')
  expect(await pool.close({ timeoutMs: Infinity })).toEqual({ unstarted: [] })
  expect(words.at(-1)).toBe(0)
  open(1)
  while (words.at(-1) === 0) await new Promise(setImmediate)
})

test('the time that the module takes to be ready here is no time of a run', async () => {
  const words = new Int32Array(new SharedArrayBuffer(64))
  const { reached, open } = gates(words)
  const gate = Promise.withResolvers<void>()
  const pool = makeCallerPool(() => gate.promise, { workerData: { words, setupGate: 1 } })
  const there = pool.run('there')
  const controller = new AbortController()
  const given = codeOf(pool.run(2, { name: 'count', signal: controller.signal }))
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const clock = vi.spyOn(performance, 'now')
  try {
    const limited = codeOf(pool.run(3, { name: 'count', timeoutMs: 1000 }))
    await reached(1, 1)
    controller.abort('enough')
    vi.advanceTimersByTime(2000)
    const before = performance.now()
    clock.mockImplementation(() => before + 2000)
    open(1)
    expect(await Promise.all([given, limited])).toEqual(['enough', 'fulfilled'])
  } finally {
    vi.useRealTimers()
    clock.mockRestore()
    gate.resolve()
  }
  await there
  // What was given up has not begun.
  expect([words[2], words[3]]).toEqual([0, 1])
  const { completed, wait, run } = pool.metrics().tasks['count']!
  expect([completed, run.max]).toEqual([1, 0])
  expect(wait.max).toBeGreaterThan(2000)
})

test('the shortest runs here count in each percentile', async () => {
  const gate = Promise.withResolvers<void>()
  const pool = makeFakePool(
    { default: () => gate.promise },
    {
      worker: new URL('./tasks-worker.ts', import.meta.url),
      maxQueue: 0,
      whenFull: 'run-in-caller',
    },
  )
  const there = pool.run('there')
  let time = performance.now()
  // Readings that are 5.3 µs apart.
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (time += 0.0053))
  try {
    for (let count = 0; count < 10; count++) await pool.run('here')
  } finally {
    clock.mockRestore()
  }
  const { count, p50 } = pool.metrics().tasks['default']!.run
  gate.resolve()
  await there
  expect([count, p50]).toEqual([10, 0.005])
})

test('metrics() counts by name and by thread', async () => {
  const { pool } = makePool({ threads: 2, name: 'counted' })
  await nextEvent(pool, 'workerReady')
  await nextEvent(pool, 'workerReady')
  await Promise.all([
    ...Array.from({ length: 30 }, () => pool.run(1)),
    pool.run(1, { name: 'later' }),
    codeOf(pool.run('x', { name: 'fail' })),
    pool.run(5, { name: 'sleep' }),
  ])
  const metrics = pool.metrics()
  expect(metrics).toMatchObject({
    name: 'counted',
    pending: 0,
    waiting: 0,
    completed: 32,
    failed: 1,
    threads: { ready: 2, starting: 0, stopping: 0 },
    tasks: {
      default: { completed: 30, failed: 0 },
      fail: { completed: 0, failed: 1 },
      sleep: { completed: 1 },
    },
  })
  expect(metrics.run.count).toBe(33)
  expect(metrics.run.max).toBeGreaterThan(4)
  expect(metrics.wait.p50).toBeGreaterThanOrEqual(0)
  const counts = metrics.workers.map((worker) => worker.completed + worker.failed)
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(33)
  const busyMs = metrics.workers.reduce((sum, worker) => sum + worker.busyMs, 0)
  expect(busyMs).toBeGreaterThan(4)
})

test('a thread that is asleep is not busy while another one is', async () => {
  const { pool, reached, open } = makePool({ threads: 2 })
  await nextEvent(pool, 'workerReady')
  await nextEvent(pool, 'workerReady')
  const gate = pool.run(1, { name: 'gate' })
  await reached(1, 1)
  const busy = (): number[] => pool.metrics().workers.map(({ busyMs }) => busyMs)
  const before = busy()
  const grown = (): number[] => busy().map((ms, index) => ms - (before[index] ?? NaN))
  while (Math.max(...grown()) < 5) await new Promise(setImmediate)
  expect(Math.min(...grown())).toBe(0)
  open(1)
  await gate
})

test('a diagnostics channel tells of each task', async () => {
  const { pool, reached, open } = makePool({
    threads: 1,
    name: 'watched',
    maxQueue: 0,
    whenFull: 'run-in-caller',
  })
  const seen: TaskDiagnostics[] = []
  const listener = (message: unknown): void => {
    seen.push(message as TaskDiagnostics)
  }
  subscribe('elkyn.thread-pool.task', listener)
  onTestFinished(() => {
    unsubscribe('elkyn.thread-pool.task', listener)
  })
  await pool.run(1)
  await codeOf(pool.run('x', { name: 'fail' }))
  // It cannot be sent.
  await codeOf(pool.run(() => {}))
  await codeOf(pool.run(1, { name: 'exit' }))
  const blocked = pool.run(2, { name: 'gate' })
  await reached(2, 1)
  await pool.run(1)
  await codeOf(pool.run('x', { name: 'fail' }))
  open(2)
  await blocked
  expect(seen.map(({ pool: name, outcome, thread }) => [name, outcome, thread >= 0])).toEqual([
    ['watched', 'completed', true],
    ['watched', 'failed', true],
    ['watched', 'failed', false],
    ['watched', 'lost', false],
    ['watched', 'completed', false],
    ['watched', 'failed', false],
    ['watched', 'completed', true],
  ])
})

test('setup and teardown run once in each thread', async () => {
  const { pool, words } = makePool({ threads: 3 })
  await Promise.all(Array.from({ length: 30 }, (_, index) => pool.run(index)))
  await pool.close()
  expect(words.at(-1)).toBe(3)
})

test('plain functions of a module are handlers', async () => {
  const { pool } = makePool({
    threads: 1,
    worker: new URL('./function-worker.ts', import.meta.url),
  })
  const plain = pool as unknown as ThreadPool
  expect(await plain.run({ a: 1, b: 2 })).toBe(3)
  expect(await plain.run(4, { name: 'double' })).toBe(8)
})

// As Piscina loads them, too: `exports`, and promises of functions.
test.each([
  ['module.exports = (task) => task * 2', 'default', 4],
  ['module.exports = { default: (task) => task * 2, other: (task) => task * 3 }', 'other', 6],
  ['exports.__esModule = true; exports.default = (task) => task * 2', 'default', 4],
  ['module.exports = (async () => (task) => task * 2)()', 'default', 4],
  ['exports.later = Promise.resolve((task) => task * 2)', 'later', 4],
])('a CommonJS module is a worker: %s', async (source, name, expected) => {
  const folder = mkdtempSync(join(tmpdir(), 'thread-pool-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'worker.cjs')
  writeFileSync(file, source)
  const { pool } = makePool({ threads: 1, worker: file })
  expect(await (pool as unknown as ThreadPool).run(2, { name })).toBe(expected)
})

test('a handler that is no function is an error of the start', async () => {
  const entry = new URL('../src/worker.ts', import.meta.url).href
  const source = `import { defineWorker } from '${entry}'\nexport const worker = defineWorker({ handlers: { default: 5 } })`
  const { pool } = makePool({
    threads: 1,
    worker: `data:text/javascript,${encodeURIComponent(source)}`,
  })
  const failure: unknown = await pool.run(1).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'ERR_WORKER_START' })
  expect((failure as Error).message).toContain('"default" is not a function')
})

test('pending tasks keep the process alive, an idle pool does not', () => {
  const program = `
    import { ThreadPool } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)}
    const pool = new ThreadPool({ worker: ${JSON.stringify(fileURLToPath(new URL('./tasks-worker.ts', import.meta.url)))}, threads: 2 })
    pool.run(50, { name: 'sleep' }).then(console.log)
    process.on('exit', () => console.log('exit with', pool.pending))
  `
  const { stdout, status } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', program],
    { encoding: 'utf8' },
  )
  expect({ stdout, status }).toEqual({ stdout: '50\nexit with 0\n', status: 0 })
})

test('threads start in a process whose program is text, with its flags', () => {
  const program = `
    import { ThreadPool } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)}
    const worker = ${JSON.stringify(fileURLToPath(new URL('./tasks-worker.ts', import.meta.url)))}
    const pool = new ThreadPool({ worker, threads: 1, argv: ['one', 'two'] })
    const { argv, execArgv } = await pool.run('', { name: 'surroundings' })
    console.log(argv, execArgv.slice(0, 2))
  `
  const flags = ['--max-old-space-size=500', '--conditions=unused']
  const { stdout, status } = spawnSync(
    process.execPath,
    [...flags, '--input-type=module', '--eval', program],
    { encoding: 'utf8' },
  )
  const expected = "[ 'one', 'two' ] [ '--max-old-space-size=500', '--conditions=unused' ]\n"
  expect({ stdout, status }).toEqual({ stdout: expected, status: 0 })
})

/** Its first thread has other handlers than the next ones. Two runs in two threads end together. */
const changingWorker = `
  import { workerData } from 'node:worker_threads'
  const { words } = workerData
  const meeting = (name) => () => {
    Atomics.add(words, 1, 1)
    Atomics.notify(words, 1)
    Atomics.wait(words, 1, 1)
    return name
  }
  const [archive, read, remove] = ['archive', 'read', 'remove'].map(meeting)
  const isFirst = Atomics.add(words, 0, 1) === 0
  export default isFirst ? { read, remove, other: () => 'other' } : { archive, read, remove }
`

function makeChangingPool(options: Partial<ThreadPoolOptions>): ThreadPool {
  const words = new Int32Array(new SharedArrayBuffer(8))
  const pool = new ThreadPool({
    worker: `data:text/javascript,${encodeURIComponent(changingWorker)}`,
    workerData: { words },
    startTimeoutMs: Infinity,
    ...options,
  })
  onTestFinished(() => pool.destroy())
  return pool
}

test('a task runs in the handler of its name where a later thread has others', async () => {
  const pool = makeChangingPool({ minThreads: 1, maxThreads: 2 })
  expect(await pool.run(0, { name: 'other' })).toBe('other')
  const ready = nextEvent(pool, 'workerReady')
  pool.minThreads = 2
  // Holds the process, which a thread that starts does not.
  const timer = setInterval(() => {}, 60_000)
  await ready
  clearInterval(timer)
  const tasks = [1, 2].map((task) => pool.run(task, { name: 'read' }))
  expect(await Promise.all(tasks)).toEqual(['read', 'read'])
})

test('a task runs in the handler of its name where threads that start at once have others', async () => {
  const pool = makeChangingPool({ threads: 2 })
  const timer = setInterval(() => {}, 60_000)
  await nextEvent(pool, 'workerReady')
  await nextEvent(pool, 'workerReady')
  clearInterval(timer)
  const tasks = [1, 2].map((task) => pool.run(task, { name: 'read' }))
  expect(await Promise.all(tasks)).toEqual(['read', 'read'])
})
