// What a task is rejected with.
import { ThreadPoolError } from './errors.ts'
import type { Task } from './task.ts'
import type { Thread } from './thread.ts'

export function closedError(task: Task): ThreadPoolError {
  return new ThreadPoolError('ERR_POOL_CLOSED', `Cannot run "${task.name}": the pool is closed`)
}

export function quarantinedError(task: Task): ThreadPoolError {
  return new ThreadPoolError(
    'ERR_TASK_QUARANTINED',
    `Cannot run "${task.name}": tasks with the key "${task.key}" have killed threads before`,
  )
}

export function unknownHandlerError(name: string, names: Iterable<string>): ThreadPoolError {
  const known = [...names].map((handler) => `"${handler}"`).join(', ')
  return new ThreadPoolError(
    'ERR_UNKNOWN_HANDLER',
    `Cannot run "${name}": the worker has ${known || 'no handlers'}`,
  )
}

export function lateStartError(worker: string, timeoutMs: number): ThreadPoolError {
  return new ThreadPoolError(
    'ERR_WORKER_START',
    `${worker} has not finished loading and setting up within ${timeoutMs} ms`,
  )
}

export function silentStartError(entry: URL, timeoutMs: number): ThreadPoolError {
  return new ThreadPoolError(
    'ERR_WORKER_START',
    `${entry.href} has not said hello within ${timeoutMs} ms`,
  )
}

export function fullError(task: Task, pending: number, maxQueue: number): ThreadPoolError {
  return new ThreadPoolError(
    'ERR_QUEUE_FULL',
    `Cannot run "${task.name}": ${pending} tasks are pending and maxQueue is ${maxQueue}`,
  )
}

export function droppedError(task: Task, maxQueue: number): ThreadPoolError {
  return new ThreadPoolError(
    'ERR_TASK_DROPPED',
    `"${task.name}" was dropped for a newer task: maxQueue is ${maxQueue}`,
  )
}

export function timeoutError(task: Task): ThreadPoolError {
  return new ThreadPoolError(
    'ERR_TASK_TIMEOUT',
    `"${task.name}" has run for more than ${task.timeoutMs} ms`,
  )
}

/** The worker module could not be loaded, or its `setup` failed. */
export function startError(
  step: 'import' | 'setup',
  worker: string,
  cause: unknown,
): ThreadPoolError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const verb = step === 'import' ? 'import' : 'set up'
  return new ThreadPoolError('ERR_WORKER_START', `Cannot ${verb} ${worker}: ${reason}`, { cause })
}

/** @param isPoison whether the task, or tasks of its key, have killed as many threads as they may */
export function lostError(task: Task, thread: Thread, isPoison: boolean): ThreadPoolError {
  const reason = thread.error instanceof Error ? `: ${thread.error.message}` : ''
  const message = `Thread ${thread.index} exited with code ${thread.exitCode} while it had "${task.name}" in hand${reason}`
  return new ThreadPoolError(isPoison ? 'ERR_TASK_QUARANTINED' : 'ERR_WORKER_EXITED', message, {
    exitCode: thread.exitCode,
    crashes: task.crashes,
    ...(thread.error === undefined ? {} : { cause: thread.error }),
  })
}
