// What the pool passes on: to its threads, and to those who watch it.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import process from 'node:process'
import { expect, onTestFinished, test } from 'vitest'
import { codeOf, makePool, nextEvent } from './pools.ts'

test('threads get env, argv, execArgv and workerData', async () => {
  const { pool } = makePool({
    threads: 1,
    env: { ...process.env, POOL_TEST: 'from env' },
    argv: ['from argv'],
    execArgv: [...process.execArgv, '--conditions=from-exec-argv'],
    workerData: { words: new Int32Array(new SharedArrayBuffer(64)), more: 'from workerData' },
  })
  expect(await pool.run('POOL_TEST', { name: 'surroundings' })).toMatchObject({
    env: 'from env',
    argv: ['from argv'],
    execArgv: expect.arrayContaining(['--conditions=from-exec-argv']) as string[],
    workerData: { more: 'from workerData' },
  })
})

test('timeoutMs and retry of the pool count for tasks that do not say', async () => {
  const { pool } = makePool({ threads: 1, timeoutMs: 5, retry: 1 })
  expect(await codeOf(pool.run(1, { name: 'untilAborted' }))).toBe('ERR_TASK_TIMEOUT')
  expect(await pool.run(20, { name: 'sleep', timeoutMs: Infinity })).toBe(20)
  expect(await pool.run(2, { name: 'exitOnce', timeoutMs: Infinity })).toBe('survived')
  const once = pool.run(3, { name: 'exitOnce', timeoutMs: Infinity, retry: 0 })
  expect(await codeOf(once)).toBe('ERR_WORKER_EXITED')
})

test("maxQueue 'auto' is the square of the threads", async () => {
  const { pool, reached, open } = makePool({ threads: 2, maxQueue: 'auto' })
  const gates = [1, 2].map((word) => pool.run(word, { name: 'gate' }))
  await Promise.all([1, 2].map((word) => reached(word, 1)))
  const tasks = Array.from({ length: 5 }, (_, index) => codeOf(pool.run(index)))
  for (const word of [1, 2]) open(word)
  expect(await Promise.all(tasks)).toEqual([
    ...Array.from({ length: 4 }, () => 'fulfilled'),
    'ERR_QUEUE_FULL',
  ])
  await Promise.all(gates)
})

test('values of all lengths pass through the smallest memory that can be had', async () => {
  const { pool } = makePool({
    threads: 2,
    queueCapacity: 1,
    priorities: 1,
    slotBytes: 16,
    arenaBytes: 0,
    completionBytes: 1024,
  })
  const texts = Array.from({ length: 300 }, (_, length) => 'x'.repeat(length * 7))
  expect(await Promise.all(texts.map((text) => pool.run(text)))).toEqual(texts)
})

test('corked tasks run once they are uncorked', async () => {
  const { pool } = makePool({ threads: 2 })
  await Promise.all([nextEvent(pool, 'workerReady'), nextEvent(pool, 'workerReady')])
  pool.cork()
  const tasks = Array.from({ length: 50 }, (_, index) => pool.run(index))
  pool.uncork()
  pool.uncork()
  expect(await Promise.all(tasks)).toEqual(Array.from({ length: 50 }, (_, index) => index))
})

test('throwIfCancelled() ends a run that was given up', async () => {
  const { pool, words, reached } = makePool({ threads: 1 })
  const controller = new AbortController()
  const running = codeOf(pool.run(4, { name: 'untilThrown', signal: controller.signal }))
  await reached(4, 1)
  controller.abort('enough')
  expect(await running).toBe('enough')
  await reached(4, 2)
  expect(words[4]).toBe(2)
  expect(await pool.run('next')).toBe('next')
  expect(pool.metrics().tasks['untilThrown']).toMatchObject({ completed: 0, failed: 1 })
})

test("an 'error' event tells why a thread has died or could not tear down", async () => {
  const { pool, words } = makePool({ threads: 1 })
  const died = nextEvent(pool, 'error')
  expect(await codeOf(pool.run(undefined, { name: 'failLater' }))).toBe('ERR_WORKER_EXITED')
  expect(await died).toMatchObject({ message: 'thrown outside of any task' })
  await pool.run('next')
  const untidy = nextEvent(pool, 'error')
  // The last word but one says so to `teardown`.
  words[words.length - 2] = 1
  await pool.close()
  expect(await untidy).toMatchObject({ message: 'teardown failed' })
})

test('diagnostics channels tell of threads and of changes of their number', async () => {
  const seen: [channel: string, message: Record<string, unknown>][] = []
  for (const kind of ['thread', 'scale'] as const) {
    const listener = (message: unknown): void => {
      seen.push([kind, message as Record<string, unknown>])
    }
    const name = `elkyn.thread-pool.${kind}`
    subscribe(name, listener)
    onTestFinished(() => {
      unsubscribe(name, listener)
    })
  }
  const { pool } = makePool({ minThreads: 0, maxThreads: 1, idleTimeoutMs: 20, name: 'watched' })
  const gone = nextEvent(pool, 'workerDestroy')
  await pool.run('first')
  await gone
  expect(seen.map(([kind, { event, reason }]) => [kind, event ?? reason])).toEqual([
    ['scale', 'first task'],
    ['thread', 'workerCreate'],
    ['thread', 'workerReady'],
    ['scale', 'idle'],
    ['thread', 'workerDestroy'],
  ])
  expect(seen.every(([, message]) => message['pool'] === 'watched')).toBe(true)
})

test('quantiles are in order, and a thread is not busy for longer than it lives', async () => {
  const { pool } = makePool({ threads: 1 })
  await nextEvent(pool, 'workerReady')
  await pool.run(undefined, { name: 'where' })
  const { workers, run, wait } = pool.metrics()
  expect(workers[0]).toMatchObject({ state: 'ready', completed: 1 })
  expect(workers[0]?.utilization).toBeLessThanOrEqual(1)
  for (const { p50, p90, p99, p999, max } of [run, wait]) {
    const quantiles = [p50, p90, p99, p999, max]
    expect(quantiles).toEqual(quantiles.toSorted((a, b) => a - b))
  }
})
