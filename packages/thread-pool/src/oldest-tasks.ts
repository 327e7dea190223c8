import type { Dispatcher } from './dispatcher.ts'
import { Fifo } from './fifo.ts'
import type { Task } from './task.ts'

/** The tasks that wait, in the order in which they were accepted, for a pool that drops the oldest of them. */
export class OldestTasks {
  readonly #dispatcher: Dispatcher
  /** By priority. */
  readonly #lines: Fifo<Task>[]
  readonly #isWaiting = (task: Task): boolean => !task.isSettled && this.#dispatcher.isWaiting(task)

  constructor(dispatcher: Dispatcher, priorities: number) {
    this.#dispatcher = dispatcher
    this.#lines = Array.from({ length: priorities }, () => new Fifo(this.#isWaiting))
  }

  /** Adds a task that was accepted, and forgets those before it that have begun. */
  add(task: Task): void {
    const line = this.#lines[task.priority]
    if (line === undefined) return
    for (let oldest = line.peek(); oldest !== undefined; oldest = line.peek()) {
      if (this.#isWaiting(oldest)) break
      line.shift()
    }
    line.push(task)
  }

  /** @returns the oldest of the lowest priority, which never starts; undefined if none waits */
  cancel(): Task | undefined {
    for (const line of this.#lines.toReversed()) {
      for (let oldest = line.shift(); oldest !== undefined; oldest = line.shift()) {
        if (!oldest.isSettled && this.#dispatcher.cancel(oldest)) return oldest
      }
    }
    return undefined
  }
}
