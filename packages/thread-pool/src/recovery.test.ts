import { expect, test } from 'vitest'
import { Dispatcher } from './dispatcher.ts'
import { resolveOptions } from './options.ts'
import { Quarantine } from './quarantine.ts'
import { Recovery } from './recovery.ts'
import { taskFields } from './task-fields.ts'
import { Task } from './task.ts'
import type { Thread } from './thread.ts'

const ignore = (): void => {}

test('what a thread dies of by reading it is sent once more, and what is behind it each time', async () => {
  const options = resolveOptions({ worker: 'unused.js', threads: 1, quarantineAfter: 100 })
  const dispatcher = new Dispatcher(options, ignore)
  const lost: unknown[] = []
  const recovery = new Recovery(dispatcher, new Quarantine(100), 100, {
    beforeRecovery() {
      // Nothing was published.
    },
    onRetry() {
      lost.push('retry')
    },
    onQuarantine() {
      lost.push('quarantine')
    },
    onLost: (task, error) => lost.push([task.name, error]),
  })
  const fields = (name: string) => taskFields({ name }, options)
  const [poison, behind] = ['poison', 'behind'].map(
    (name) => new Task(/by the port/, 0, fields(name), ignore, ignore),
  ) as [Task, Task]
  for (const task of [poison, behind]) dispatcher.send(task, -1)
  // A thread that hears four messages and dies of the fifth.
  const thread = {
    index: 0,
    threadId: 1000,
    exitCode: 5,
    mayHaveDiedOf: (message: number) => message === 4,
  } as unknown as Thread
  const lostAfter: number[] = []
  for (let death = 1; death <= 3; death++) {
    for (const task of [poison, behind]) {
      if (task.place !== 'slot') continue
      expect(dispatcher.table.take(task.tag, thread.index)).toBe(true)
      task.port = 'sent'
      task.message = task === poison ? 4 : 5
      task.wasAlone = true
    }
    await recovery.recover(thread)
    expect(dispatcher.isWaiting(behind)).toBe(true)
    lostAfter.push(lost.length)
  }
  expect(lostAfter).toEqual([0, 1, 1])
  expect(lost).toMatchObject([['poison', { code: 'ERR_WORKER_EXITED', exitCode: 5, crashes: 2 }]])
  expect(behind).toMatchObject({ crashes: 0, kills: 0 })
})

test.each([
  { why: 'the pool has terminated', isKilled: true, isMoved: false, told: ['other'] },
  { why: 'has run something', isKilled: false, isMoved: false, told: ['other'] },
  { why: 'has run something (moved)', isKilled: false, isMoved: true, told: ['other', 'innocent'] },
])('no value is blamed for a thread that $why', async ({ isKilled, isMoved, told }) => {
  const options = resolveOptions({ worker: 'unused.js', threads: 1, quarantineAfter: 1 })
  const dispatcher = new Dispatcher(options, ignore)
  const lost: string[] = []
  const quarantine = new Quarantine(1)
  const recovery = new Recovery(dispatcher, quarantine, 1, {
    beforeRecovery() {
      // Nothing was published.
    },
    onRetry: () => lost.push('retry'),
    onQuarantine: () => {},
    onLost: (task) => lost.push(task.name),
  })
  const transferList = isMoved ? [new ArrayBuffer(8)] : undefined
  const [other, innocent] = ['other', 'innocent'].map((name) => {
    const fields = taskFields({ name, key: name, ...(transferList && { transferList }) }, options)
    return new Task(/by the port/, 0, fields, ignore, ignore)
  }) as [Task, Task]
  for (const task of [other, innocent]) {
    dispatcher.send(task, -1)
    dispatcher.table.take(task.tag, 0)
    Object.assign(task, { port: 'sent', message: 4, wasAlone: true })
  }
  dispatcher.table.start(other.tag, 0)
  const thread = { index: 0, threadId: 1000, isKilled, mayHaveDiedOf: () => true }
  await recovery.recover(thread as unknown as Thread)
  expect(lost).toEqual(told)
  expect(quarantine.has('innocent')).toBe(false)
  expect(dispatcher.isWaiting(innocent)).toBe(!isMoved)
})
