/** Stable codes of {@link ThreadPoolError}. Adding one is a minor change, removing one is major. */
export type ThreadPoolErrorCode =
  | 'ERR_POOL_CLOSED'
  | 'ERR_POOL_DESTROYED'
  | 'ERR_QUEUE_FULL'
  | 'ERR_TASK_DROPPED'
  | 'ERR_TASK_TIMEOUT'
  | 'ERR_TASK_QUARANTINED'
  | 'ERR_UNKNOWN_HANDLER'
  | 'ERR_VALUE_NOT_CLONEABLE'
  | 'ERR_WORKER_EXITED'
  | 'ERR_WORKER_START'
  | 'ERR_CRASH_LOOP'

/** Facts about a failure, where the code alone does not say them. */
export interface ThreadPoolErrorFacts extends ErrorOptions {
  /** `ERR_WORKER_EXITED`: the exit code of the thread. */
  exitCode?: number
  /** `ERR_WORKER_EXITED`, `ERR_TASK_QUARANTINED`: threads that ended while they ran the task, or read its value. */
  crashes?: number
}

/** Thrown for every failure of this package that a caller may want to handle. */
export class ThreadPoolError extends Error {
  override readonly name = 'ThreadPoolError'
  readonly code: ThreadPoolErrorCode
  declare readonly exitCode?: number
  declare readonly crashes?: number

  constructor(code: ThreadPoolErrorCode, message: string, facts: ThreadPoolErrorFacts = {}) {
    super(message, 'cause' in facts ? { cause: facts.cause } : undefined)
    this.code = code
    if (facts.exitCode !== undefined) this.exitCode = facts.exitCode
    if (facts.crashes !== undefined) this.crashes = facts.crashes
  }
}
