// The values that go by structured clone, on the port of the thread that has the task.
import { notCloneable } from './error-codec.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { Task } from './task.ts'
import type { Thread } from './thread.ts'

/** Sends values to threads. */
export class PortValues {
  readonly #dispatcher: Dispatcher
  readonly #onRefused: (task: Task, error: unknown) => void
  #isHeld = false

  /** @param onRefused a value cannot be cloned: its task is taken back, and is to be rejected with this error */
  constructor(dispatcher: Dispatcher, onRefused: (task: Task, error: unknown) => void) {
    this.#dispatcher = dispatcher
    this.#onRefused = onRefused
  }

  /**
   * Sends a task to a thread that has not asked for it.
   * @param isOnly whether nobody else could take its item from the queue
   */
  give(thread: Thread, task: Task, isOnly: boolean): void {
    const { tag, name, value, transferList } = task
    const isSent = this.#post(task, () =>
      thread.give({ type: 'task', tag, name, value }, transferList),
    )
    // It may block, or be about to: an item in the queue is heard anyway, and a message before it is there by then.
    // Not where a getter has given the task up, which may have closed the queue.
    if (isSent && isOnly && !task.isSettled) this.#dispatcher.nudge(task)
  }

  /** Sends nothing from now on of what is asked for: a value that moves could not be given back. */
  hold(): void {
    this.#isHeld = true
  }

  /** Sends the values of tasks that a thread has taken. */
  send(thread: Thread, tags: readonly number[]): void {
    if (thread.hasEnded) return
    if (this.#isHeld) {
      // It goes on waiting for what it has asked for, and would not end.
      for (const tag of tags) thread.post({ type: 'no-value', tag })
      return
    }
    let together: Task[] = []
    for (const tag of tags) {
      const task = this.#dispatcher.find(tag)
      if (task === undefined || task.isSettled) thread.post({ type: 'no-value', tag })
      // Not what may have killed a thread by being read: then it is known whether it was that.
      else if (task.transferList === undefined && task.suspicions === 0) together.push(task)
      else {
        // They begin in the order in which they arrive.
        this.#sendTogether(thread, together)
        together = []
        this.#sendOne(thread, task)
      }
    }
    this.#sendTogether(thread, together)
  }

  #sendTogether(thread: Thread, together: readonly Task[]): void {
    if (together.length === 0) return
    try {
      const message = thread.post({
        type: 'values',
        tags: together.map((task) => task.tag),
        values: together.map((task) => task.value),
      })
      for (const task of together) {
        task.port = 'sent'
        task.message = message
        task.wasAlone = together.length === 1
      }
    } catch {
      // One of them cannot be cloned: find out which.
      for (const task of together) this.#sendOne(thread, task)
    }
  }

  #sendOne(thread: Thread, task: Task): void {
    const { tag, value, transferList } = task
    const isSent = this.#post(task, () =>
      thread.post({ type: 'values', tags: [tag], values: [value] }, transferList),
    )
    if (!isSent) thread.post({ type: 'no-value', tag })
  }

  #post(task: Task, post: () => number): boolean {
    try {
      task.message = post()
      task.port = 'sent'
      task.wasAlone = true
      return true
    } catch (error) {
      this.#dispatcher.cancel(task)
      this.#onRefused(task, notCloneable('send', error))
      return false
    }
  }
}
