import { expect, test } from 'vitest'
import { block, codeOf, makePool } from './pools.ts'

test('a task that is given up while it waits never starts', async () => {
  const { pool, words, reached, open } = makePool({ threads: 1 })
  const first = pool.run(1, { name: 'gate' })
  await reached(1, 1)
  const controller = new AbortController()
  const waiting = pool.run(2, { name: 'count', signal: controller.signal })
  controller.abort(new Error('not needed'))
  await expect(waiting).rejects.toThrow('not needed')
  open(1)
  await first
  await pool.run('after it')
  expect(words[2]).toBe(0)
  expect(pool.metrics().cancelled).toBe(1)
})

test('a signal that has aborted before is an immediate rejection with its reason', async () => {
  const { pool } = makePool({ threads: 1 })
  const reason = new Error('before')
  await expect(pool.run(1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})

test('a busy handler sees that it was given up, and its thread goes on', async () => {
  const { pool, reached, workers } = makePool({ threads: 1 })
  const controller = new AbortController()
  const running = codeOf(pool.run(3, { name: 'untilCancelled', signal: controller.signal }))
  await reached(3, 1)
  const [before] = workers
  controller.abort('enough')
  expect(await running).toBe('enough')
  await reached(3, 2)
  expect(await pool.run('next')).toBe('next')
  expect([...workers]).toEqual([before])
})

test('the signal of an asynchronous handler aborts', async () => {
  const { pool, reached } = makePool({ threads: 1 })
  const controller = new AbortController()
  const running = codeOf(pool.run(3, { name: 'untilAborted', signal: controller.signal }))
  await reached(3, 1)
  controller.abort('enough')
  expect(await running).toBe('enough')
  await reached(3, 2)
  expect(await pool.run('next')).toBe('next')
})

test('a time limit counts from the start of the run', async () => {
  const { pool, reached, open } = makePool({ threads: 1 })
  const first = pool.run(1, { name: 'gate' })
  await reached(1, 1)
  // Waits longer than its limit, and then takes no time.
  const second = pool.run('quick', { timeoutMs: 20 })
  const third = codeOf(pool.run(2, { name: 'untilAborted', timeoutMs: 20 }))
  // The same limit elsewhere, where it runs: it is over there, so it is over here.
  const clock = makePool({ threads: 1 })
  const over = clock.pool.run(2, { name: 'untilAborted', timeoutMs: 20 })
  expect(await codeOf(over)).toBe('ERR_TASK_TIMEOUT')
  open(1)
  expect(await first).toBe(1)
  expect(await second).toBe('quick')
  expect(await third).toBe('ERR_TASK_TIMEOUT')
  expect(pool.metrics().timedOut).toBe(1)
})

test.each([
  { way: 'on the port', count: 1, value: new Uint8Array(100_000) },
  { way: 'in shared memory', count: 1000, value: 'text' },
])('results that are there $way are no time-outs for a busy caller', async ({ count, value }) => {
  const { pool, words, open } = makePool({ threads: 1 })
  await pool.run('warm')
  await new Promise(setImmediate)
  const tasks = Array.from({ length: count }, () => codeOf(pool.run(value, { timeoutMs: 5 })))
  const gate = pool.run(1, { name: 'gate' })
  block(words, 1, 5)
  const codes = await Promise.all(tasks)
  open(1)
  await gate
  expect(new Set(codes)).toEqual(new Set(['fulfilled']))
})

test('a thread is not killed for a cancelled task whose result is there', async () => {
  const { pool, words, workers, reached, open } = makePool({ threads: 1, killAfterMs: 5 })
  const controller = new AbortController()
  const options = { name: 'bytesWhenCancelled', signal: controller.signal } as const
  const given = codeOf(pool.run(1, options))
  await reached(1, 1)
  const [before] = workers
  const next = codeOf(pool.run(2, { name: 'gate' }))
  await new Promise(setImmediate)
  controller.abort('enough')
  block(words, 2, 5)
  expect(await given).toBe('enough')
  // Timers have come by then.
  await new Promise(setImmediate)
  open(2)
  expect(await next).toBe('fulfilled')
  expect(await pool.run('after it')).toBe('after it')
  expect([...workers]).toEqual([before])
})

test('a handler that does not listen keeps its thread, unless it may be killed', async () => {
  const { pool, reached } = makePool({ threads: 1, killAfterMs: 10 })
  const deaf = codeOf(pool.run(1, { name: 'forever', timeoutMs: 10 }))
  await reached(1, 1)
  const next = pool.run('next')
  expect(await deaf).toBe('ERR_TASK_TIMEOUT')
  expect(await next).toBe('next')
  expect(pool.metrics()).toMatchObject({ crashes: 0, timedOut: 1 })
})

test('a listener is not left on the signal of a task that has ended', async () => {
  const { pool } = makePool({ threads: 1 })
  const { signal } = new AbortController()
  let listeners = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...parameters: Parameters<typeof add>) => {
    listeners++
    add(...parameters)
  }
  signal.removeEventListener = (...parameters: Parameters<typeof remove>) => {
    listeners--
    remove(...parameters)
  }
  await Promise.all(Array.from({ length: 50 }, (_, index) => pool.run(index, { signal })))
  expect(listeners).toBe(0)
})

test('tasks of one signal have one listener on it together, and are all given up', async () => {
  const { pool, reached, open } = makePool({ threads: 1 })
  const controller = new AbortController()
  const { signal } = controller
  const add = signal.addEventListener.bind(signal)
  let listeners = 0
  signal.addEventListener = (...parameters: Parameters<typeof add>) => {
    listeners++
    add(...parameters)
  }
  const blocker = pool.run(1, { name: 'gate', signal })
  await reached(1, 1)
  const waiting = Array.from({ length: 50 }, (_, index) => codeOf(pool.run(index, { signal })))
  expect(listeners).toBe(1)
  controller.abort('no')
  expect(new Set([...(await Promise.all(waiting)), await codeOf(blocker)])).toEqual(new Set(['no']))
  open(1)
  expect(await pool.run('next')).toBe('next')
})
