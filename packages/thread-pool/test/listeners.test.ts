import process from 'node:process'
import { expect, onTestFinished, test } from 'vitest'
import { makeFakePool } from './fake-worker.ts'
import { codeOf, makePool, nextEvent } from './pools.ts'

/** What is thrown and caught by nobody until the end of the test, instead of failing it. */
function uncaughtExceptions(): unknown[] {
  const caught: unknown[] = []
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => caught.push(error))
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException')
    for (const listener of others) process.on('uncaughtException', listener)
  })
  return caught
}

function throwing(message: string): () => never {
  return () => {
    throw new Error(message)
  }
}

test('a listener that throws when the breaker closes does not cost a task its result', async () => {
  const caught = uncaughtExceptions()
  const { pool } = makePool({ threads: 1, crashLoopLimit: 1, crashLoopPauseMs: 1 })
  await nextEvent(pool, 'workerReady')
  const opened = nextEvent(pool, 'breakerOpen')
  const again = nextEvent(pool, 'workerReady')
  expect(await codeOf(pool.run(1, { name: 'exit' }))).toBe('ERR_WORKER_EXITED')
  await opened
  await again
  pool.on('breakerClose', throwing('closed'))
  expect(await pool.run('again')).toBe('again')
  await new Promise(setImmediate)
  expect(caught).toEqual([new Error('closed')])
})

test('a listener that throws for room in the queue does not keep close() waiting', async () => {
  const caught = uncaughtExceptions()
  const pool = makeFakePool({ default: (task: unknown) => task }, { maxQueue: 0 })
  pool.on('needsDrain', throwing('full'))
  pool.on('drain', throwing('empty'))
  const task = pool.run(1)
  const closed = pool.close({ timeoutMs: Infinity })
  expect(await task).toBe(1)
  expect(await closed).toEqual({ unstarted: [] })
  expect(caught).toEqual([new Error('full'), new Error('empty')])
})

test('a listener that throws for each thread does not cost a dying thread its tasks', async () => {
  const caught = uncaughtExceptions()
  const { pool } = makePool({ threads: 1 })
  await pool.run('first')
  pool.on('workerCreate', throwing('created'))
  pool.on('workerDestroy', throwing('destroyed'))
  const dying = codeOf(pool.run(1, { name: 'exit' }))
  const waiting = pool.run('waiting')
  expect(await dying).toBe('ERR_WORKER_EXITED')
  expect(await waiting).toBe('waiting')
  expect(caught).toEqual([new Error('created'), new Error('destroyed')])
  // The end of the test ends the other thread.
  pool.removeAllListeners()
})
