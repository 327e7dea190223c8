import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { TaskDiagnostics } from '../src/index.ts'
import { Dispatcher } from '../src/dispatcher.ts'
import { PortValues } from '../src/port-values.ts'
import { TimeLimits } from '../src/time-limits.ts'
import type { TaskContext } from '../src/worker.ts'
import { codeOf, makePool, nextEvent } from './pools.ts'
import { makeFakePool } from './fake-worker.ts'

/** A pool whose one thread is busy until `release()`, and which writes down what it runs. */
function makeBusyPool(options: Parameters<typeof makeFakePool>[1] = {}) {
  const { promise, resolve: release } = Promise.withResolvers<void>()
  const began = Promise.withResolvers<void>()
  const ran: unknown[] = []
  const pool = makeFakePool(
    {
      default: (task: unknown) => {
        ran.push(task)
        return task
      },
      block: async () => {
        began.resolve()
        await promise
      },
      forever: (_: unknown, { signal }: TaskContext) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', resolve)
        }),
    },
    options,
  )
  pool.run(undefined, { name: 'block' }).catch(() => {
    // Closed before it was released.
  })
  return { pool, ran, release, began: began.promise }
}

test('tasks of one priority run in the order in which they were accepted', async () => {
  const { pool, ran, release, began } = makeBusyPool({ queueCapacity: 4 })
  await began
  const tasks = Array.from({ length: 40 }, (_, index) => pool.run(index))
  release()
  await Promise.all(tasks)
  expect(ran).toEqual(Array.from({ length: 40 }, (_, index) => index))
})

test.each([1, 4])(
  'tasks of one priority begin in that order however their values go, %i at a time',
  async (concurrentTasksPerWorker) => {
    const { pool, ran, release, began } = makeBusyPool({ concurrentTasksPerWorker })
    await began
    const tasks: Promise<unknown>[] = []
    const expected: number[] = []
    for (let id = 0; id < 200; id++) {
      const controller = new AbortController()
      const { signal } = controller
      const moved = new Uint8Array(3)
      const ways = [
        () => pool.run({ id }, { signal }),
        () => pool.run({ id, pattern: /by the port/ }, { signal }),
        () => pool.run({ id, moved }, { signal, transferList: [moved.buffer] }),
      ]
      // All pairs and triples of them follow one another somewhere in these digits.
      const way = ways[Number('0012211101202'[id % 13])]
      tasks.push(codeOf(way!()))
      if (id % 7 === 6) controller.abort()
      else expected.push(id)
    }
    release()
    await Promise.all(tasks)
    expect(ran.map((task) => (task as { id: number }).id)).toEqual(expected)
  },
)

test.each([
  { givenUp: ['value'], runs: ['first', 'behind', 'last'] },
  { givenUp: ['behind'], runs: ['first', 'value', 'last'] },
  { givenUp: ['value', 'behind'], runs: ['first', 'last'] },
])('a task that waits behind the value of another one: given up are $givenUp', async (given) => {
  // However long it takes here, tasks are short.
  const clockMs = performance.now()
  vi.spyOn(performance, 'now').mockReturnValue(clockMs)
  onTestFinished(() => void vi.restoreAllMocks())
  const { pool, ran, release } = makeBusyPool()
  release()
  // By these it knows that, and takes more than what it waits for.
  await Promise.all(Array.from({ length: 5 }, () => pool.run(/by the port/)))
  ran.length = 0
  const controllers = new Map<string, AbortController>()
  const keep = vi.spyOn(Dispatcher.prototype, 'keep').mockImplementation(() => {
    for (const name of given.givenUp) controllers.get(name)?.abort('given up')
  })
  const results = ['first', 'value', 'behind', 'last'].map((name) => {
    const controller = new AbortController()
    controllers.set(name, controller)
    const task = name === 'value' ? Object(name) : name
    return codeOf(pool.run(task, { signal: controller.signal }))
  })
  const outcomes = await Promise.all(results)
  expect(outcomes.filter((outcome) => outcome === 'given up').length).toBe(given.givenUp.length)
  expect(ran.map(String)).toEqual(given.runs)
  expect(keep).toHaveBeenCalledOnce()
})

test('urgent tasks overtake others, which are delayed and not starved', async () => {
  const { pool, ran, release, began } = makeBusyPool()
  await began
  const low = Array.from({ length: 4 }, () => pool.run('low', { priority: 2 }))
  const high = Array.from({ length: 40 }, () => pool.run('high', { priority: 0 }))
  release()
  await Promise.all([...low, ...high])
  expect(ran.slice(0, 4)).toEqual(['high', 'high', 'high', 'high'])
  expect(ran.indexOf('low')).toBeLessThan(16)
  expect(ran.lastIndexOf('low')).toBeLessThan(40)
})

test('what goes by the port waits for whichever thread is free first', async () => {
  const { promise, resolve: release } = Promise.withResolvers<void>()
  const { promise: haveBothBegun, resolve } = Promise.withResolvers<void>()
  const first = Promise.withResolvers<void>()
  const threads = new Set<number>()
  const pool = makeFakePool(
    {
      default: async (_: unknown, { thread }: TaskContext) => {
        first.resolve()
        if (threads.add(thread).size === 2) resolve()
        await haveBothBegun
      },
      block: () => promise,
    },
    { threads: 2 },
  )
  await Promise.all([nextEvent(pool, 'workerReady'), nextEvent(pool, 'workerReady')])
  const blocking = pool.run(undefined, { name: 'block' })
  const tasks = [pool.run(/by the port/), pool.run(/by the port/)]
  await first.promise
  release()
  await Promise.all([blocking, ...tasks])
  expect(threads).toEqual(new Set([0, 1]))
})

// Without, one of them would take the ten seconds after which a thread that sleeps looks by itself.
test(
  'a task goes to a free thread where one was woken for it that has blocked',
  { timeout: 30_000 },
  async () => {
    const { pool, reached, open } = makePool({ threads: 2, concurrentTasksPerWorker: 2 })
    await Promise.all([nextEvent(pool, 'workerReady'), nextEvent(pool, 'workerReady')])
    for (let gate = 1; gate <= 15; gate += 2) {
      const blocking = pool.run(gate, { name: 'twoGates' })
      await reached(gate, 1)
      // Behind this, the thread of the gates is the one that has waited for a task for longer.
      await pool.run('short', { name: 'later' })
      open(gate)
      await reached(gate + 1, 1)
      expect(await pool.run('next')).toBe('next')
      open(gate + 1)
      await blocking
    }
  },
)

test.each([{ values: [/by the port/, /by the port/] }, { values: ['through shared memory'] }])(
  'what waits in a thread behind a long task goes to one that is free: $values',
  async (waiting) => {
    // However long it takes here, tasks are short.
    const clockMs = performance.now()
    vi.spyOn(performance, 'now').mockReturnValue(clockMs)
    onTestFinished(() => void vi.restoreAllMocks())
    const blocked = Promise.withResolvers<void>()
    const long = Promise.withResolvers<void>()
    const began = Promise.withResolvers<void>()
    const threads: number[] = []
    const pool = makeFakePool(
      {
        default: (_: unknown, { thread }: TaskContext) => threads.push(thread),
        block: () => blocked.promise,
        long: () => {
          began.resolve()
          return long.promise
        },
      },
      { threads: 2 },
    )
    await Promise.all([nextEvent(pool, 'workerReady'), nextEvent(pool, 'workerReady')])
    const blocking = pool.run(undefined, { name: 'block' })
    for (let count = 0; count < 5; count++) await pool.run(/by the port/)
    const longTask = pool.run(/by the port/, { name: 'long' })
    const behind = waiting.values.map((value) => pool.run(value))
    await began.promise
    blocked.resolve()
    await Promise.all([blocking, ...behind])
    const [first = -1] = threads
    expect(threads.slice(5)).toEqual(behind.map(() => 1 - first))
    long.resolve()
    await longTask
  },
)

/** A pool one of whose threads takes four tasks as short ones, of which the first ends with the test. */
async function makeHoldingPool(
  options: Parameters<typeof makeFakePool>[1],
  { priority = 1, isMoved = false },
) {
  let clockMs = performance.now()
  vi.spyOn(performance, 'now').mockImplementation(() => clockMs)
  const blocked = Promise.withResolvers<void>()
  const long = Promise.withResolvers<void>()
  const began = Promise.withResolvers<void>()
  const pool = makeFakePool(
    {
      default: (_: unknown, { thread }: TaskContext) => thread,
      later: () => new Promise<void>((resolve) => setImmediate(resolve)),
      block: () => blocked.promise,
      long: () => {
        began.resolve()
        return long.promise
      },
    },
    options,
  )
  onTestFinished(() => {
    vi.restoreAllMocks()
    long.resolve()
  })
  await Promise.all(Array.from({ length: pool.threads }, () => nextEvent(pool, 'workerReady')))
  // All but one thread have something else to do meanwhile.
  for (let count = 1; count < pool.threads; count++) void pool.run(undefined, { name: 'block' })
  for (let count = 0; count < 5; count++) await pool.run(/by the port/)
  const first = pool.run(/by the port/, { priority })
  void codeOf(pool.run(/by the port/, { name: 'long', priority }))
  const held = [1, 2, 3].map((size) => {
    const bytes = new Uint8Array(size)
    return pool.run({ bytes }, { priority, transferList: isMoved ? [bytes.buffer] : [] })
  })
  await Promise.all([first, began.promise])
  /** Lets the others go on, after a while. */
  const goOn = (afterMs: number): void => {
    clockMs += afterMs
    blocked.resolve()
  }
  return { pool, held, goOn, end: long.resolve }
}

test('a thread is started for what another one holds behind a task that does not end', async () => {
  const { held, goOn } = await makeHoldingPool({ minThreads: 1, maxThreads: 2 }, {})
  goOn(1000)
  expect(await Promise.all(held)).toEqual([1, 1, 1])
})

test('urgent tasks that a thread holds behind one that does not end overtake what waits', async () => {
  const { pool, held, goOn } = await makeHoldingPool({ threads: 2 }, { priority: 0 })
  const over = new AbortController()
  const feeders = Array.from({ length: 20 }, async () => {
    while (!over.signal.aborted) await pool.run(1, { name: 'later' })
  })
  goOn(0)
  const threads = await Promise.all(held)
  over.abort()
  await Promise.all(feeders)
  expect(new Set(threads).size).toBe(1)
})

test('values that move do not go to a thread that is busy, and do to one that is free', async () => {
  const { held, goOn } = await makeHoldingPool({ threads: 2 }, { isMoved: true })
  goOn(0)
  expect(new Set(await Promise.all(held)).size).toBe(1)
})

test('values that move are given back whole by a pool that is closed before their tasks begin', async () => {
  const { pool, held, end } = await makeHoldingPool({ threads: 1 }, { isMoved: true })
  const closed = pool.close({ timeoutMs: 0 })
  expect(new Set(await Promise.all(held.map(codeOf)))).toEqual(new Set(['ERR_POOL_CLOSED']))
  end()
  const tasks = [1, 2, 3].map((size) => ({ bytes: new Uint8Array(size) }))
  expect((await closed).unstarted.map(({ task }) => task)).toEqual(tasks)
})

test('a thread asks for as many values at once as are soon run', async () => {
  let clockMs = 1000
  vi.spyOn(performance, 'now').mockImplementation(() => clockMs)
  const send = vi.spyOn(PortValues.prototype, 'send')
  onTestFinished(() => void vi.restoreAllMocks())
  let runMs = 0
  const pool = makeFakePool({
    default: () => {
      clockMs += runMs
    },
  })
  const mostAtOnce = async (): Promise<number> => {
    // By this one it knows how long they take.
    await pool.run(/by the port/)
    send.mockClear()
    await Promise.all(Array.from({ length: 200 }, () => pool.run(/by the port/)))
    return Math.max(...send.mock.calls.map(([, tags]) => tags.length))
  }
  expect(await mostAtOnce()).toBe(16)
  runMs = 0.5
  expect(await mostAtOnce()).toBe(4)
  runMs = 10
  expect(await mostAtOnce()).toBe(1)
})

/** The times of tasks in the order in which they end. */
function watchTimes(): { waitMs: number; runMs: number }[] {
  const times: { waitMs: number; runMs: number }[] = []
  const listener = (message: unknown): void => {
    const { outcome, waitMs, runMs } = message as TaskDiagnostics
    if (outcome === 'completed') times.push({ waitMs, runMs })
  }
  subscribe('elkyn.thread-pool.task', listener)
  onTestFinished(() => {
    unsubscribe('elkyn.thread-pool.task', listener)
  })
  return times
}

test('asynchronous tasks that are busy first have their own times each, and turns between them', async () => {
  let clockMs = 1000
  vi.spyOn(performance, 'now').mockImplementation(() => clockMs)
  onTestFinished(() => void vi.restoreAllMocks())
  const times = watchTimes()
  let turns = 0
  const turnsBefore: number[] = []
  const pool = makeFakePool(
    {
      default: async () => {
        clockMs += 60
        turnsBefore.push(turns)
        setImmediate(() => turns++)
      },
    },
    { concurrentTasksPerWorker: 4 },
  )
  await Promise.all([1, 2, 3, 4].map((task) => pool.run(task)))
  expect(times).toEqual([0, 60, 120, 180].map((waitMs) => ({ waitMs, runMs: 60 })))
  expect(turnsBefore).toEqual([0, 1, 2, 3])
})

test.each([10, 0])(
  'a task waits for as long as a value before it that does not come, behind one of %i ms',
  async (firstMs) => {
    let clockMs = 1000
    vi.spyOn(performance, 'now').mockImplementation(() => clockMs)
    onTestFinished(() => void vi.restoreAllMocks())
    const times = watchTimes()
    const pool = makeFakePool({
      default: (ms: number) => {
        clockMs += ms
      },
    })
    const controller = new AbortController()
    vi.spyOn(PortValues.prototype, 'send').mockImplementationOnce((thread, [tag = 0]) => {
      clockMs += 500
      controller.abort('given up')
      thread.post({ type: 'no-value', tag })
    })
    const first = pool.run(firstMs)
    const value = codeOf(pool.run(/by the port/, { signal: controller.signal }))
    const behind = pool.run(5)
    expect(await value).toBe('given up')
    await Promise.all([first, behind])
    expect(times).toEqual([
      { waitMs: 0, runMs: firstMs },
      { waitMs: firstMs + 500, runMs: 5 },
    ])
  },
)

test('a task that waits in the line survives that the queue is full at each try', async () => {
  const { pool, ran, release, began } = makeBusyPool({ queueCapacity: 1, priorities: 1 })
  await began
  const tasks = [1, 2, 3].map((task) => pool.run(task))
  // Each of them makes the pool try again.
  for (let turn = 0; turn < 5; turn++) {
    const controller = new AbortController()
    const given = codeOf(pool.run('given up', { signal: controller.signal }))
    controller.abort('no')
    expect(await given).toBe('no')
  }
  release()
  expect(await Promise.all(tasks)).toEqual([1, 2, 3])
  expect(ran).toEqual([1, 2, 3])
})

test('the time limit of a task that waits in the line is watched from when it has left that', async () => {
  const watch = vi.spyOn(TimeLimits.prototype, 'watch')
  onTestFinished(() => void vi.restoreAllMocks())
  const { pool, release, began } = makeBusyPool({ queueCapacity: 1, priorities: 1 })
  await began
  const tasks = Array.from({ length: 100 }, (_, task) => pool.run(task, { timeoutMs: 60_000 }))
  const last = codeOf(pool.run(undefined, { name: 'forever', timeoutMs: 0 }))
  expect(watch).toHaveBeenCalledOnce()
  release()
  expect(await Promise.all(tasks)).toEqual(Array.from({ length: 100 }, (_, task) => task))
  expect(await last).toBe('ERR_TASK_TIMEOUT')
  expect(watch).toHaveBeenCalledTimes(101)
})

test('a full queue rejects with ERR_QUEUE_FULL', async () => {
  const { pool, release, began } = makeBusyPool({ maxQueue: 2 })
  await began
  const accepted = [pool.run(1), pool.run(2)]
  expect(pool.needsDrain).toBe(true)
  expect(await codeOf(pool.run(3))).toBe('ERR_QUEUE_FULL')
  release()
  expect(await Promise.all(accepted)).toEqual([1, 2])
  expect(pool.metrics().rejected).toBe(1)
})

test("whenFull 'wait' accepts a task as soon as there is room", async () => {
  const { pool, ran, release, began } = makeBusyPool({ maxQueue: 1, whenFull: 'wait' })
  await began
  const tasks = [1, 2, 3].map((task) => pool.run(task))
  const controller = new AbortController()
  const given = codeOf(pool.run(4, { signal: controller.signal }))
  expect(pool.pending).toBe(2)
  controller.abort('no')
  expect(await given).toBe('no')
  release()
  expect(await Promise.all(tasks)).toEqual([1, 2, 3])
  expect(ran).toEqual([1, 2, 3])
  expect(pool.pending).toBe(0)
})

test("whenFull 'wait' refuses any number in a row that cannot be cloned", async () => {
  const { pool, release, began } = makeBusyPool({ maxQueue: 0, whenFull: 'wait' })
  await began
  const uncloneable = { call: () => {} }
  const refused = Array.from({ length: 5000 }, () => codeOf(pool.run(uncloneable)))
  const last = pool.run('last')
  release()
  expect(new Set(await Promise.all(refused))).toEqual(new Set(['ERR_VALUE_NOT_CLONEABLE']))
  expect(await last).toBe('last')
  expect(pool.pending).toBe(0)
})

test("whenFull 'wait' refuses those who wait when the pool is closed", async () => {
  const { pool, release, began } = makeBusyPool({ maxQueue: 0, whenFull: 'wait' })
  await began
  const waiting = codeOf(pool.run(1))
  const closed = pool.close()
  expect(await waiting).toBe('ERR_POOL_CLOSED')
  release()
  expect(await closed).toEqual({ unstarted: [] })
})

test("whenFull 'drop-oldest' gives up the one that waits longest in the lowest priority", async () => {
  const { pool, ran, release, began } = makeBusyPool({ maxQueue: 3, whenFull: 'drop-oldest' })
  await began
  const urgent = pool.run('urgent', { priority: 0 })
  const oldest = codeOf(pool.run('oldest'))
  const newer = pool.run('newer')
  const newest = pool.run('newest')
  expect(await oldest).toBe('ERR_TASK_DROPPED')
  release()
  expect(await Promise.all([urgent, newer, newest])).toEqual(['urgent', 'newer', 'newest'])
  expect(ran).toEqual(['urgent', 'newer', 'newest'])
})

test('only what dies with a thread counts as lost', async () => {
  const dropping = makeBusyPool({ maxQueue: 1, whenFull: 'drop-oldest' })
  await dropping.began
  const outcomes: unknown[] = []
  const listener = (message: unknown): void => {
    outcomes.push((message as TaskDiagnostics).outcome)
  }
  subscribe('elkyn.thread-pool.task', listener)
  onTestFinished(() => {
    unsubscribe('elkyn.thread-pool.task', listener)
  })
  const dropped = codeOf(dropping.pool.run(1))
  const unstarted = codeOf(dropping.pool.run(2))
  expect(await dropped).toBe('ERR_TASK_DROPPED')
  const closed = dropping.pool.close({ timeoutMs: 0 })
  expect(await unstarted).toBe('ERR_POOL_CLOSED')
  dropping.release()
  await closed
  expect(outcomes).toEqual(['dropped', 'dropped', 'dropped'])
  expect(dropping.pool.metrics()).toMatchObject({ rejected: 1, lost: 0 })
})

test('drain follows needsDrain when half of the queue is free', async () => {
  const { pool, release, began } = makeBusyPool({ maxQueue: 9 })
  await began
  const events: string[] = []
  pool.on('needsDrain', () => events.push(`needsDrain at ${pool.pending}`))
  pool.on('drain', () => events.push(`drain at ${pool.pending}`))
  const tasks = Array.from({ length: 9 }, (_, index) => pool.run(index))
  release()
  await Promise.all(tasks)
  expect(events).toEqual(['needsDrain at 10', 'drain at 5'])
})

test('tasks wait for the first thread to be ready, and keep their names', async () => {
  const start = Promise.withResolvers<void>()
  const pool = makeFakePool({ 'näme \u{1f600}': (task: unknown) => task }, {}, start.promise)
  const early = pool.run('early', { name: 'näme \u{1f600}' })
  const unknown = codeOf(pool.run('early', { name: 'other' }))
  start.resolve()
  expect(await early).toBe('early')
  expect(await unknown).toBe('ERR_UNKNOWN_HANDLER')
  expect(await codeOf(pool.run('late', { name: 'other' }))).toBe('ERR_UNKNOWN_HANDLER')
})

test('a thread has as many asynchronous tasks in hand as it may', async () => {
  const running = new Set<unknown>()
  let most = 0
  const gate = Promise.withResolvers<void>()
  const full = Promise.withResolvers<void>()
  const pool = makeFakePool(
    {
      default: async (task: unknown) => {
        running.add(task)
        most = Math.max(most, running.size)
        if (running.size === 3) full.resolve()
        await gate.promise
        running.delete(task)
      },
    },
    { concurrentTasksPerWorker: 3 },
  )
  const tasks = Array.from({ length: 7 }, (_, index) => pool.run(index))
  await full.promise
  await new Promise(setImmediate)
  gate.resolve()
  await Promise.all(tasks)
  expect(most).toBe(3)
})

test('a busy thread takes turns of its event loop', async () => {
  let turns = 0
  const timer = setInterval(() => turns++)
  const pool = makeFakePool({ default: (task: unknown) => task })
  await Promise.all(Array.from({ length: 3000 }, (_, index) => pool.run(index)))
  clearInterval(timer)
  expect(turns).toBeGreaterThan(0)
})

test('a thread that is retired first runs what was handed to it', async () => {
  const pool = makeFakePool(
    { default: (task: unknown) => task },
    { minThreads: 1, maxThreads: 1, idleTimeoutMs: 0 },
  )
  for (let round = 0; round < 5; round++) {
    pool.minThreads = 1
    // After so many tasks the thread gives its event loop a turn, and they are all answered before it goes on.
    await Promise.all(Array.from({ length: 256 }, (_, index) => pool.run(index)))
    const bytes = new Uint8Array([round])
    const moved = pool.run(bytes, { transferList: [bytes.buffer] })
    // The first time it was busy just now.
    pool.minThreads = 0
    pool.minThreads = 0
    expect(await moved).toEqual(new Uint8Array([round]))
  }
})

test('options that cannot be meant are mistakes', async () => {
  const pool = makeFakePool({})
  await expect(pool.run(1, { priority: 3 })).rejects.toThrow(RangeError)
  await expect(pool.run(1, { timeoutMs: -1 })).rejects.toThrow('timeoutMs')
  await expect(pool.run(1, { retry: 1.5 })).rejects.toThrow('retry')
  await expect(pool.run(1, { retry: 1, transferList: [new ArrayBuffer(1)] })).rejects.toThrow(
    TypeError,
  )
  await expect(pool.run(1, null as never)).rejects.toThrow('options')
  await expect(pool.run(1, { signal: {} as AbortSignal })).rejects.toThrow('AbortSignal')
  expect(pool.pending).toBe(0)
  expect(() => makeFakePool({}, { worker: 5 as never })).toThrow('worker must be')
  expect(() => makeFakePool({}, { terminable: 'no' as never })).toThrow('terminable')
  expect(() => makeFakePool({}, { name: 5 as never })).toThrow('name')
  expect(() => makeFakePool({}, { threads: 0 })).toThrow(RangeError)
  expect(() => makeFakePool({}, { threads: 992 })).toThrow(
    'threads must be an integer from 1 to 991',
  )
  expect(() => makeFakePool({}, { maxThreads: 2 })).toThrow(TypeError)
  expect(() => makeFakePool({}, { killAfterMs: 5 })).toThrow('terminable')
  expect(() => makeFakePool({}, { whenFull: 'explode' as 'wait' })).toThrow('explode')
  expect(() => makeFakePool({}, { queueCapacity: 3 })).toThrow('power of two')
})

test('a value that was sent to a waiting thread is not overtaken there by what came behind it', async () => {
  for (let round = 0; round < 12; round++) {
    const { pool, open, reached } = makePool({ threads: 2 })
    await Promise.all([1, 2, 3, 4].map((value) => pool.run(value)))
    const bytes = new Uint8Array(8)
    const moved = pool.run({ bytes }, { transferList: [bytes.buffer] })
    const long = pool.run(1, { name: 'gate' })
    await reached(1, 1)
    await moved
    open(1)
    await long
    await pool.destroy()
  }
})
