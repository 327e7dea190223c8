import { notCloneable } from './error-codec.ts'
import { isMoved } from './define-worker.ts'
import type { Handler, TaskContext, WorkerDefinition } from './define-worker.ts'
import { loadWorker } from './load-worker.ts'
import { maxTimerMs } from './max-timer-ms.ts'
import { lateStartError, startError, unknownHandlerError } from './task-errors.ts'
import type { Task } from './task.ts'

interface Loaded {
  readonly definition: WorkerDefinition
  readonly state: unknown
  readonly workerData: unknown
}

/** Runs tasks in the thread that owns the pool, as a thread of it would. */
export class Caller {
  readonly #url: string
  readonly #workerData: unknown
  readonly #startTimeoutMs: number
  #loaded: Promise<Loaded> | undefined
  /** Whether that has taken longer than anybody waits for it. */
  #isLate = false
  /** Handlers that have not ended, those of tasks that were given up among them. */
  readonly #running = new Set<Promise<unknown>>()

  /** @param startTimeoutMs how long the module may take to be loaded and set up */
  constructor(url: string, workerData: unknown, startTimeoutMs: number) {
    this.#url = url
    this.#workerData = workerData
    this.#startTimeoutMs = startTimeoutMs
  }

  /**
   * Never rejects: the handler's time is over in both cases.
   * @param value a copy of the task's own, see {@link copyValue}
   * @param signal aborts when the task is given up: before its handler is called, that is not called
   * @param onStart called right before the handler, which may have to wait for the module and its `setup`
   */
  async run(
    name: string,
    value: unknown,
    signal: AbortSignal,
    onStart: () => void,
  ): Promise<{ hasThrown: boolean; value: unknown }> {
    try {
      return { hasThrown: false, value: await this.#call(name, value, signal, onStart) }
    } catch (error) {
      return { hasThrown: true, value: error }
    }
  }

  async #call(
    name: string,
    value: unknown,
    signal: AbortSignal,
    onStart: () => void,
  ): Promise<unknown> {
    const loaded = await this.#inTime((this.#loaded ??= this.#loadOrForget()))
    signal.throwIfAborted()
    const handlers: Record<string, Handler> = loaded.definition.handlers
    const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined
    if (handler === undefined) throw unknownHandlerError(name, Object.keys(handlers))
    const result = await this.#untilEnded(async () => {
      const context = this.#context(name, loaded, signal)
      onStart()
      return handler(value as never, context)
    })
    if (isMoved(result)) return result.value
    try {
      return structuredClone(result)
    } catch (error) {
      throw notCloneable('return', error)
    }
  }

  async #untilEnded(run: () => Promise<unknown>): Promise<unknown> {
    const running = run()
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
    }
  }

  /** As a thread that does not start is followed by another, the next task tries again what has failed. */
  async #loadOrForget(): Promise<Loaded> {
    try {
      return await this.#load()
    } catch (error) {
      this.#loaded = undefined
      throw error
    } finally {
      this.#isLate = false
    }
  }

  /** Each task waits as long as a thread may take to be ready. Nobody can end what takes longer here, so that others wait for the same. */
  async #inTime(loading: Promise<Loaded>): Promise<Loaded> {
    const timeoutMs = this.#startTimeoutMs
    if (timeoutMs > maxTimerMs) return loading
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      this.#isLate = true
      reject(lateStartError(this.#url, timeoutMs))
    }, timeoutMs)
    // Tasks hold the process, and this one may be given up meanwhile.
    timer.unref()
    try {
      return await Promise.race([loading, late])
    } finally {
      clearTimeout(timer)
    }
  }

  async #load(): Promise<Loaded> {
    let step: 'import' | 'setup' = 'import'
    try {
      const definition = await loadWorker(this.#url)
      step = 'setup'
      const workerData: unknown = structuredClone(this.#workerData)
      const state: unknown = await definition.setup?.({ thread: -1, workerData })
      return { definition, state, workerData }
    } catch (cause) {
      throw startError(step, this.#url, cause)
    }
  }

  #context(name: string, { state, workerData }: Loaded, signal: AbortSignal): TaskContext {
    return {
      name,
      state,
      signal,
      thread: -1,
      workerData,
      get cancelled() {
        return signal.aborted
      },
      throwIfCancelled() {
        if (signal.aborted) throw new DOMException('This operation was aborted', 'AbortError')
      },
    }
  }

  /** Runs `teardown` behind the last handler, if `setup` has run here. @throws what that throws */
  async close(): Promise<void> {
    const tornDown = this.#tearDown()
    // It may never end: where it does, what it has set up is torn down then.
    if (this.#isLate) tornDown.catch(() => {})
    else await tornDown
  }

  async #tearDown(): Promise<void> {
    // What could not be loaded has been told to each task.
    const loaded = await this.#loaded?.catch(() => undefined)
    await Promise.allSettled(this.#running)
    await loaded?.definition.teardown?.(loaded.state)
  }
}

/** The value as a handler gets it. @throws what reading it throws */
export function copyValue({ value, transferList = [] }: Task): unknown {
  return structuredClone(value, { transfer: [...transferList] as Transferable[] })
}

type Transferable = NonNullable<
  NonNullable<Parameters<typeof structuredClone>[1]>['transfer']
>[number]
