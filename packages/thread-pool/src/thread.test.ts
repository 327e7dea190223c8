import { EventEmitter } from 'node:events'
import { createWorkQueue } from '@elkyn/work-queue'
import { expect, onTestFinished, test } from 'vitest'
import { now } from './clock.ts'
import type { BootMessage } from './messages.ts'
import { resolveOptions } from './options.ts'
import { Thread } from './thread.ts'
import type { WorkerLike } from './thread.ts'

/** A worker that says at once how long ago runs have ended, and asks for a value in between. */
class TalkativeWorker extends EventEmitter implements WorkerLike {
  readonly threadId: number = 1
  readonly #agesMs: readonly number[]

  constructor(agesMs: readonly number[]) {
    super()
    this.#agesMs = agesMs
  }

  postMessage({ port }: BootMessage): void {
    for (const [tag, ageMs] of this.#agesMs.entries()) {
      port.postMessage({ type: 'result', tag, value: 1, startedAt: now() - ageMs - 5, runUs: 5000 })
      port.postMessage({ type: 'ask', tags: [tag] })
    }
  }

  async terminate(): Promise<void> {
    this.emit('exit', 1)
  }

  unref(): void {
    // It holds nothing.
  }
}

interface Scene {
  thread: Thread
  worker: TalkativeWorker
}

const ignore = (): void => {}

function makeThread(worker: TalkativeWorker, onMessage: (type: string) => void = ignore): Thread {
  const thread = new Thread(0, {
    options: resolveOptions({ worker: 'unused.js' }),
    queue: createWorkQueue().handle,
    tasks: new SharedArrayBuffer(12),
    doorbell: new SharedArrayBuffer(64),
    startWorker: () => worker,
    handlers: undefined,
    onReady: ignore,
    onMessage: (_, { type }) => onMessage(type),
    onExit: ignore,
  })
  onTestFinished(() => thread.terminate())
  return thread
}

test('Thread that is ended before it was ready has failed only where that has another reason', () => {
  const ends = [
    ({ thread }: Scene) => thread.terminate(),
    ({ thread, worker }: Scene) => {
      thread.stop()
      worker.emit('exit', 0)
    },
    ({ worker }: Scene) => worker.emit('exit', 0),
    ({ thread, worker }: Scene) => {
      thread.stop()
      worker.emit('error', new Error('not found'))
      worker.emit('exit', 1)
    },
  ]
  const errors = ends.map((end) => {
    const worker = new TalkativeWorker([])
    const thread = makeThread(worker)
    end({ thread, worker })
    return [thread.wasAsked, thread.error instanceof Error ? thread.error.message : thread.error]
  })
  expect(errors).toEqual([
    [true, undefined],
    [true, undefined],
    [false, expect.stringContaining('it exited with code 0')],
    [true, expect.stringContaining('not found')],
  ])
})

test('Thread hears what was said before at once, and of what came later one answer', () => {
  const heard: string[] = []
  const thread = makeThread(new TalkativeWorker([10, 5, -60_000, -60_000]), (type) => {
    heard.push(type)
  })
  thread.hear()
  expect(heard).toEqual(['result', 'ask', 'result', 'ask', 'result'])
})
