import { notCloneable } from './error-codec.ts'
import { ThreadPoolError } from './errors.ts'
import { isMoved } from './define-worker.ts'
import type { Handler, TaskContext, WorkerDefinition } from './define-worker.ts'
import { loadWorker } from './load-worker.ts'
import type { Task } from './task.ts'

/** Runs tasks in the thread that owns the pool, as a thread of it would. */
export class Caller {
  readonly #url: string
  readonly #workerData: unknown
  #loaded: Promise<{ definition: WorkerDefinition; state: unknown }> | undefined

  constructor(url: string, workerData: unknown) {
    this.#url = url
    this.#workerData = workerData
  }

  /**
   * Never rejects: the handler's time is over in both cases.
   * @param signal aborts when the task is given up
   */
  async run(task: Task, signal: AbortSignal): Promise<{ hasThrown: boolean; value: unknown }> {
    try {
      return { hasThrown: false, value: await this.#call(task, signal) }
    } catch (error) {
      return { hasThrown: true, value: error }
    }
  }

  async #call(task: Task, signal: AbortSignal): Promise<unknown> {
    this.#loaded ??= this.#load()
    const { definition, state } = await this.#loaded
    const handlers: Record<string, Handler> = definition.handlers
    const handler = Object.hasOwn(handlers, task.name) ? handlers[task.name] : undefined
    if (handler === undefined) {
      throw new ThreadPoolError('ERR_UNKNOWN_HANDLER', `Cannot run "${task.name}": no such handler`)
    }
    const value: unknown = clone(task.value, 'send', task.transferList)
    const result: unknown = await handler(value as never, this.#context(task.name, state, signal))
    if (isMoved(result)) return result.value
    return clone(result, 'return')
  }

  async #load(): Promise<{ definition: WorkerDefinition; state: unknown }> {
    const definition = await loadWorker(this.#url)
    const workerData: unknown = structuredClone(this.#workerData)
    const state: unknown = await definition.setup?.({ thread: -1, workerData })
    return { definition, state }
  }

  #context(name: string, state: unknown, signal: AbortSignal): TaskContext {
    return {
      name,
      state,
      signal,
      thread: -1,
      workerData: this.#workerData,
      get cancelled() {
        return signal.aborted
      },
      throwIfCancelled() {
        if (signal.aborted) throw new DOMException('This operation was aborted', 'AbortError')
      },
    }
  }

  /** Runs `teardown`, if `setup` has run here. @throws what that throws */
  async close(): Promise<void> {
    // What could not be loaded has been told to each task.
    const loaded = await this.#loaded?.catch(() => undefined)
    await loaded?.definition.teardown?.(loaded.state)
  }
}

function clone(
  value: unknown,
  verb: 'send' | 'return',
  transferList: Task['transferList'] = [],
): unknown {
  try {
    return structuredClone(value, { transfer: [...transferList] as Transferable[] })
  } catch (error) {
    throw notCloneable(verb, error)
  }
}

type Transferable = NonNullable<
  NonNullable<Parameters<typeof structuredClone>[1]>['transfer']
>[number]
