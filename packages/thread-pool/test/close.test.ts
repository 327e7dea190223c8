import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { expect, onTestFinished, test } from 'vitest'
import type { TaskDiagnostics } from '../src/index.ts'
import { makeCallerPool, makeFakePool } from './fake-worker.ts'
import { block, codeOf, gates, makePool } from './pools.ts'

test('close() finishes what runs and what waits, whatever their lengths', async () => {
  const { pool, words } = makePool({ threads: 2 })
  const lengths = [60, 1, 40, 0, 25, 10, 5, 30]
  const tasks = lengths.map((ms) => pool.run(ms, { name: 'sleep' }))
  expect(await pool.close()).toEqual({ unstarted: [] })
  expect(await Promise.all(tasks)).toEqual(lengths)
  expect(pool.threads).toBe(0)
  // Each thread has torn down.
  expect(words.at(-1)).toBe(2)
})

test('close() refuses new tasks at once', async () => {
  const { pool } = makePool({ threads: 1 })
  const closed = pool.close()
  expect(await codeOf(pool.run(1))).toBe('ERR_POOL_CLOSED')
  await closed
  expect(await codeOf(pool.run(1))).toBe('ERR_POOL_CLOSED')
})

test('close() gives back what has not started by the deadline', async () => {
  const { pool, reached } = makePool({ threads: 1, queueCapacity: 2, whenFull: 'reject' })
  const running = pool.run(1, { name: 'untilCancelled' }).catch((error: unknown) => error)
  await reached(1, 1)
  const waiting = Array.from({ length: 9 }, (_, index) =>
    codeOf(pool.run(index, { priority: index % 3 })),
  )
  const { unstarted } = await pool.close({ timeoutMs: 0 })
  expect(await running).toMatchObject({
    code: 'ERR_POOL_CLOSED',
    message: 'The pool was closed while the task ran',
  })
  expect(await Promise.all(waiting)).toEqual(Array.from({ length: 9 }, () => 'ERR_POOL_CLOSED'))
  expect(unstarted).toEqual(
    Array.from({ length: 9 }, (_, index) => ({
      task: index,
      name: 'default',
      priority: index % 3,
    })),
  )
})

test('close() hands out results that are there at the deadline', async () => {
  const { pool, words, open } = makePool({ threads: 1 })
  await pool.run('warm')
  await new Promise(setImmediate)
  const given = [codeOf(pool.run('text')), codeOf(pool.run(new Uint8Array(100_000)))]
  const cut = codeOf(pool.run(1, { name: 'gate' }))
  const closed = pool.close({ timeoutMs: 5 })
  block(words, 1, 5)
  expect(await Promise.all([...given, cut])).toEqual(['fulfilled', 'fulfilled', 'ERR_POOL_CLOSED'])
  open(1)
  expect(await closed).toEqual({ unstarted: [] })
})

test('close() begins none of the tasks that it gives back', async () => {
  const { pool, reached, words } = makePool({ threads: 1, queueCapacity: 8192 })
  const running = codeOf(pool.run(1, { name: 'untilCancelled' }))
  await reached(1, 1)
  const waiting = Array.from({ length: 8000 }, () => codeOf(pool.run(2, { name: 'count' })))
  const listener = (message: unknown): void => {
    // Until its thread could take the next one.
    if ((message as TaskDiagnostics).name === 'untilCancelled') Atomics.wait(words, 1, 1)
  }
  subscribe('elkyn.thread-pool.task', listener)
  onTestFinished(() => {
    unsubscribe('elkyn.thread-pool.task', listener)
  })
  const { unstarted } = await pool.close({ timeoutMs: 0 })
  await Promise.all([running, ...waiting])
  expect(words[2]).toBe(0)
  expect(unstarted).toHaveLength(8000)
})

test('close() finishes tasks that a dying thread has to hand over', async () => {
  const { pool } = makePool({ threads: 2 })
  const lost = codeOf(pool.run(1, { name: 'exit' }))
  const retried = pool.run(5, { name: 'exitOnce', retry: 2 })
  const others = Array.from({ length: 50 }, (_, index) => pool.run(index))
  await pool.close()
  expect(await lost).toBe('ERR_WORKER_EXITED')
  expect(await retried).toBe('survived')
  expect(await Promise.all(others)).toHaveLength(50)
})

test('destroy() rejects everything at once and ends deaf threads', async () => {
  const { pool, reached, workers } = makePool({ threads: 1 })
  const deaf = codeOf(pool.run(1, { name: 'forever' }))
  await reached(1, 1)
  const waiting = codeOf(pool.run(1))
  const destroyed = pool.destroy()
  expect(await deaf).toBe('ERR_POOL_DESTROYED')
  expect(await waiting).toBe('ERR_POOL_DESTROYED')
  await destroyed
  expect(workers.size).toBe(0)
})

test('destroy() only asks the threads of a pool that is not terminable', async () => {
  const { pool, words, reached } = makePool({ threads: 1, terminable: false })
  const running = codeOf(pool.run(1, { name: 'untilCancelled' }))
  await reached(1, 1)
  await pool.destroy()
  expect(await running).toBe('ERR_POOL_DESTROYED')
  expect(words.at(-1)).toBe(1)
})

test('close() after destroy() is fulfilled when the threads have ended', async () => {
  const { pool } = makePool({ threads: 2 })
  await pool.run(1)
  const destroyed = pool.destroy()
  expect(await pool.close()).toEqual({ unstarted: [] })
  expect(pool.threads).toBe(0)
  await destroyed
})

test('await using closes the pool', async () => {
  const { pool } = makePool({ threads: 1 })
  let task: Promise<unknown>
  {
    await using scoped = pool
    task = scoped.run('last')
  }
  expect(await task).toBe('last')
  expect(pool.threads).toBe(0)
})

test('close() before any thread is ready ends the pool as well', async () => {
  const { pool } = makePool({ threads: 3 })
  await pool.close()
  expect(pool.threads).toBe(0)
})

test.each(['destroy', 'close'] as const)(
  '%s() gives up what runs in the caller',
  async (method) => {
    const { pool, reached } = makePool({ threads: 1, maxQueue: 0, whenFull: 'run-in-caller' })
    const inThread = codeOf(pool.run(1, { name: 'untilAborted' }))
    await reached(1, 1)
    const here = codeOf(pool.run(2, { name: 'untilAborted' }))
    await reached(2, 1)
    await pool[method]({ timeoutMs: 0 })
    const code = method === 'close' ? 'ERR_POOL_CLOSED' : 'ERR_POOL_DESTROYED'
    expect(await Promise.all([inThread, here])).toEqual([code, code])
    expect(pool.pending).toBe(0)
    // Its signal has told the handler.
    await reached(2, 2)
  },
)

test('close() is fulfilled though the module could not be loaded in the caller', async () => {
  const { promise, resolve: release } = Promise.withResolvers<void>()
  const options = { maxQueue: 0, whenFull: 'run-in-caller' } as const
  const pool = makeFakePool({ default: () => promise }, options)
  const inThread = pool.run(1)
  await expect(pool.run(2)).rejects.toThrow('unused.js')
  release()
  await inThread
  expect(await pool.close()).toEqual({ unstarted: [] })
})

test('destroy() tears down in the caller as well, once', async () => {
  const words = new Int32Array(new SharedArrayBuffer(64))
  // Its threads have handlers of their own, and no teardown.
  const pool = makeCallerPool(() => 'there', { workerData: { words } })
  expect(await Promise.all([pool.run('here'), pool.run('here')])).toEqual(['there', 'here'])
  await Promise.all([pool.destroy(), pool.destroy()])
  expect(words.at(-1)).toBe(1)
})

test('a handler that destroy() leaves running in the caller ends before it is torn down', async () => {
  const { pool, words, reached, open } = makePool({
    threads: 1,
    maxQueue: 0,
    whenFull: 'run-in-caller',
  })
  const inThread = codeOf(pool.run(1, { name: 'gateLater' }))
  await reached(1, 1)
  const here = codeOf(pool.run(2, { name: 'gateLater' }))
  await reached(2, 1)
  const destroyed = pool.destroy()
  expect(await Promise.all([inThread, here])).toEqual(Array(2).fill('ERR_POOL_DESTROYED'))
  const before = words.at(-1)!
  open(1)
  open(2)
  await destroyed
  expect(before).toBe(0)
  expect(words.at(-1)).toBeGreaterThan(before)
})

test('destroy() begins nothing in the caller that waits for the module', async () => {
  const words = new Int32Array(new SharedArrayBuffer(64))
  const { reached, open } = gates(words)
  const pool = makeCallerPool(() => 'there', { workerData: { words, setupGate: 1 } })
  const there = codeOf(pool.run('there'))
  const here = codeOf(pool.run(2, { name: 'count' }))
  await reached(1, 1)
  const destroyed = pool.destroy()
  open(1)
  await destroyed
  await there
  expect(await here).toBe('ERR_POOL_DESTROYED')
  expect(words[2]).toBe(0)
})

test('a pool that ends its threads while they start tells of no error', async () => {
  const words = new Int32Array(new SharedArrayBuffer(16))
  const fresh = makePool({ threads: 2 }).pool
  const late = makePool({ threads: 1, workerData: { words, setupGate: 1 } }).pool
  const errors: unknown[] = []
  for (const pool of [fresh, late]) pool.on('error', (error) => errors.push(error))
  await fresh.destroy()
  await gates(words).reached(1, 1)
  await late.close({ timeoutMs: 0 })
  expect(errors).toEqual([])
})

test("a teardown that throws in the caller is an 'error' event, as in a thread", async () => {
  const { pool, words, reached, open } = makePool({
    threads: 1,
    maxQueue: 0,
    whenFull: 'run-in-caller',
  })
  const inThread = pool.run(1, { name: 'gate' })
  await reached(1, 1)
  expect(await pool.run('here')).toBe('here')
  const errors: unknown[] = []
  pool.on('error', (error) => errors.push(error))
  // The last word but one says so to `teardown`.
  words[words.length - 2] = 1
  open(1)
  await inThread
  expect(await pool.close()).toEqual({ unstarted: [] })
  expect(errors).toEqual([new Error('teardown failed'), new Error('teardown failed')])
})

test('close() rejects with a mistake in its options, and the pool goes on', async () => {
  const { pool } = makePool({ threads: 1 })
  await expect(pool.close({ timeoutMs: NaN })).rejects.toThrow('timeoutMs')
  expect(await pool.run(1)).toBe(1)
})

test('what has moved to a thread is not given back, and the threads end by themselves', async () => {
  for (let round = 0; round < 5; round++) {
    const { pool, workers } = makePool({ threads: 2, terminable: false })
    await pool.run(1)
    const ended = Array.from({ length: 2000 }, () => {
      const bytes = new Uint8Array(8)
      return codeOf(pool.run({ bytes }, { transferList: [bytes.buffer] }))
    })
    const { unstarted } = await pool.close({ timeoutMs: 1 })
    await Promise.all(ended)
    expect(workers.size).toBe(0)
    expect(
      unstarted.filter(({ task }) => (task as { bytes: Uint8Array }).bytes.length === 0),
    ).toEqual([])
  }
})
