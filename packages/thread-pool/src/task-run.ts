import type { TaskContext } from './define-worker.ts'
import type { TaskTable } from './task-table.ts'

/** What all runs of one thread share. */
export interface ThreadScope {
  readonly thread: number
  readonly workerData: unknown
  readonly tasks: TaskTable
  state: unknown
}

/** One run of a task, as its handler sees it. */
export class TaskRun implements TaskContext {
  readonly tag: number
  readonly name: string
  readonly startedAt: number
  readonly #scope: ThreadScope
  #controller: AbortController | undefined

  constructor(scope: ThreadScope, tag: number, name: string, startedAt: number) {
    this.#scope = scope
    this.tag = tag
    this.name = name
    this.startedAt = startedAt
  }

  get thread(): number {
    return this.#scope.thread
  }

  get workerData(): unknown {
    return this.#scope.workerData
  }

  get state(): unknown {
    return this.#scope.state
  }

  get cancelled(): boolean {
    return this.#scope.tasks.isCancelled(this.tag)
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.cancelled) this.#controller.abort()
    return this.#controller.signal
  }

  throwIfCancelled(): void {
    if (this.cancelled) throw new DOMException('This operation was aborted', 'AbortError')
  }

  /** Tells asynchronous code, if it has asked for the signal. */
  abort(): void {
    this.#controller?.abort()
  }
}
