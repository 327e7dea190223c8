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
