import { duration, integer } from './options.ts'
import type { ResolvedOptions, RunOptions } from './options.ts'
import type { TaskFields } from './task.ts'

/** For a `run()` without options. */
export const noOptions: RunOptions = {}

/** What a task takes from its options. @throws {TypeError | RangeError} for options that cannot be meant */
export function taskFields(options: RunOptions, settings: ResolvedOptions): TaskFields {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(
      `Cannot run a task with ${String(options)} for options: an object is needed`,
    )
  }
  const { name = 'default', signal, transferList, key } = options
  const fields: TaskFields = {
    name,
    signal,
    transferList,
    key,
    priority: options.priority ?? settings.priorities >> 1,
    timeoutMs: options.timeoutMs ?? settings.timeoutMs,
    retry: options.retry ?? settings.retry,
  }
  checkSignal(signal)
  integer(fields, 'priority', 0, 0, settings.priorities - 1)
  integer(fields, 'retry', 0, 0, 1000)
  duration(fields, 'timeoutMs', Infinity)
  if (typeof name !== 'string' || name.length > 0x3fff) {
    throw new TypeError('name must be a string of at most 16,383 characters')
  }
  if (transferList === undefined || transferList.length === 0) return fields
  if (fields.retry > 0 && options.retry !== undefined) {
    throw new TypeError('Cannot retry a task with a transferList: its buffers are gone then')
  }
  fields.retry = 0
  return fields
}

/** @throws {TypeError} for what would fail only when the task has been accepted */
function checkSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined) return
  const isOne =
    typeof signal === 'object' &&
    signal !== null &&
    typeof signal.aborted === 'boolean' &&
    typeof signal.addEventListener === 'function' &&
    typeof signal.removeEventListener === 'function'
  if (!isOne) throw new TypeError('signal must be an AbortSignal')
}
