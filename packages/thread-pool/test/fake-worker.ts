import { EventEmitter } from 'node:events'
import { onTestFinished } from 'vitest'
import { ThreadPool } from '../src/index.ts'
import type { StartWorker, ThreadPoolOptions, WorkerLike } from '../src/index.ts'
import type { WorkerDefinition } from '../src/worker.ts'
import type { BootMessage } from '../src/messages.ts'
import { WorkerRuntime } from '../src/worker-runtime.ts'

let threadIds = 1000

/** A worker that runs in the thread of the test, so that nothing depends on how threads are scheduled. */
class FakeWorker extends EventEmitter implements WorkerLike {
  readonly threadId: number = threadIds++
  readonly #definition: WorkerDefinition
  readonly #mayStart: Promise<void>

  constructor(definition: WorkerDefinition, mayStart: Promise<void>) {
    super()
    this.#definition = definition
    this.#mayStart = mayStart
  }

  postMessage(boot: BootMessage): void {
    void this.#run(boot)
  }

  async #run(boot: BootMessage): Promise<void> {
    boot.port.postMessage({ type: 'hello' })
    await this.#mayStart
    await new WorkerRuntime(boot, undefined).run(this.#definition, undefined)
    setImmediate(() => this.emit('exit', 0))
  }

  async terminate(): Promise<number> {
    return 1
  }

  unref(): void {
    // The test's thread stays anyway.
  }
}

/** A pool whose threads are this one. */
export function makeFakePool(
  handlers: WorkerDefinition['handlers'],
  options: Partial<ThreadPoolOptions> = {},
  mayStart: Promise<void> = Promise.resolve(),
): ThreadPool {
  const startWorker: StartWorker = () => new FakeWorker({ handlers }, mayStart)
  const size = options.minThreads === undefined ? { threads: 1 } : {}
  const pool = new ThreadPool(
    { worker: 'unused.js', terminable: false, ...size, ...options },
    startWorker,
  )
  onTestFinished(async () => {
    await pool.close({ timeoutMs: 0 })
  })
  return pool
}

/** One whose second task at a time runs in the calling thread, with the real worker module. @param there the handler of its thread */
export function makeCallerPool(
  there: () => unknown,
  options: Partial<ThreadPoolOptions>,
): ThreadPool {
  const worker = new URL('./tasks-worker.ts', import.meta.url)
  return makeFakePool(
    { default: there },
    { worker, maxQueue: 0, whenFull: 'run-in-caller', ...options },
  )
}
