import { expect, test } from 'vitest'
import { Dispatcher } from './dispatcher.ts'
import { resolveOptions } from './options.ts'
import { Quarantine } from './quarantine.ts'
import { Recovery } from './recovery.ts'
import { taskFields } from './task-fields.ts'
import { Task } from './task.ts'
import type { Thread } from './thread.ts'

test('what a thread dies of by reading it is sent once more, and what is behind it each time', async () => {
  const options = resolveOptions({ worker: 'unused.js', threads: 1, quarantineAfter: 100 })
  const dispatcher = new Dispatcher(options)
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
  const ignore = (): void => {}
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

test('what the pool has terminated has died of nothing that it was to read', async () => {
  const options = resolveOptions({ worker: 'unused.js', threads: 1, quarantineAfter: 1 })
  const dispatcher = new Dispatcher(options)
  const lost: unknown[] = []
  const recovery = new Recovery(dispatcher, new Quarantine(1), 1, {
    beforeRecovery() {
      // Nothing was published.
    },
    onRetry: () => lost.push('retry'),
    onQuarantine: () => lost.push('quarantine'),
    onLost: (task) => lost.push(task.name),
  })
  const ignore = (): void => {}
  const task = new Task(/by the port/, 0, taskFields({ name: 'innocent' }, options), ignore, ignore)
  dispatcher.send(task, -1)
  dispatcher.table.take(task.tag, 0)
  task.port = 'sent'
  task.message = 4
  task.wasAlone = true
  const thread = { index: 0, threadId: 1000, isKilled: true, mayHaveDiedOf: () => true }
  await recovery.recover(thread as unknown as Thread)
  expect(lost).toEqual([])
  expect(dispatcher.isWaiting(task)).toBe(true)
})
