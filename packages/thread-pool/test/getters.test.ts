import { expect, test } from 'vitest'
import { codeOf, makePool } from './pools.ts'

/** A value that does something when it is read. */
function lively(action: () => unknown): object {
  return {
    get property(): number {
      action()
      return 1
    },
  }
}

// A value that comes alone is read when it is posted, one that comes beside others when it is written.
test.each(['alone', 'beside another'])(
  'a signal that is aborted while the value is read is heard: %s',
  async (how) => {
    const { pool } = makePool({ threads: 1 })
    await pool.run('ready')
    const other = how === 'alone' ? undefined : pool.run('other')
    const controller = new AbortController()
    const { signal } = controller
    const task = lively(() => controller.abort('meanwhile'))
    expect(await codeOf(pool.run(task, { signal }))).toBe('meanwhile')
    expect(pool.metrics().cancelled).toBe(1)
    expect(await other).toBe(other && 'other')
  },
)

test.each(['close', 'destroy'] as const)(
  '%s() while the value is read refuses its task',
  async (method) => {
    // No thread is ready: the task is on its way into the queue.
    const { pool } = makePool({ threads: 1 })
    let ended: Promise<unknown> | undefined
    const task = lively(() => (ended ??= pool[method]()))
    expect(await codeOf(pool.run(task))).toBe('ERR_POOL_CLOSED')
    await ended
    expect(pool.pending).toBe(0)
  },
)

test.each(['wait', 'run-in-caller'] as const)(
  'destroy() while the value of a task that is too many is read refuses it: %s',
  async (whenFull) => {
    const { pool } = makePool({ threads: 1, maxQueue: 0, whenFull })
    const first = codeOf(pool.run('first'))
    let ended: Promise<unknown> | undefined
    const task = lively(() => (ended ??= pool.destroy()))
    expect(await codeOf(pool.run(task))).toBe('ERR_POOL_CLOSED')
    expect(await first).toBe('ERR_POOL_DESTROYED')
    await ended
    expect(pool.pending).toBe(0)
  },
)

test("a value that makes room while it is read does not wait for it with whenFull 'wait'", async () => {
  const { pool, reached } = makePool({ threads: 1, maxQueue: 1, whenFull: 'wait' })
  const blocking = codeOf(pool.run(1, { name: 'untilAborted' }))
  await reached(1, 1)
  const controller = new AbortController()
  const second = codeOf(pool.run(2, { name: 'count', signal: controller.signal }))
  const third = codeOf(pool.run(lively(() => controller.abort('made room'))))
  expect(await second).toBe('made room')
  expect(pool.pending).toBe(2)
  await pool.destroy()
  expect(await third).toBe('ERR_POOL_DESTROYED')
  expect(await blocking).toBe('ERR_POOL_DESTROYED')
})

test('destroy() while the value of a task that has waited is read by the port refuses it', async () => {
  const { pool } = makePool({ threads: 1, maxQueue: 0, whenFull: 'wait' })
  let ended: Promise<unknown> | undefined
  const task = [/what goes by the port/, lively(() => (ended ??= pool.destroy()))]
  const first = pool.run('first')
  expect(await codeOf(pool.run(task))).toBe('ERR_POOL_DESTROYED')
  expect(await first).toBe('first')
  await ended
  expect(pool.pending).toBe(0)
})
