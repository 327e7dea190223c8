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

test('Thread hears what was said before at once, and of what came later one answer', () => {
  const heard: string[] = []
  const ignore = (): void => {}
  const thread = new Thread(0, {
    options: resolveOptions({ worker: 'unused.js' }),
    queue: createWorkQueue().handle,
    tasks: new SharedArrayBuffer(12),
    doorbell: new SharedArrayBuffer(64),
    startWorker: () => new TalkativeWorker([10, 5, -60_000, -60_000]),
    handlers: undefined,
    onReady: ignore,
    onMessage: (_, { type }) => heard.push(type),
    onExit: ignore,
  })
  onTestFinished(() => thread.terminate())
  thread.hear()
  expect(heard).toEqual(['result', 'ask', 'result', 'ask', 'result'])
})
