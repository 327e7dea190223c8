import { Histogram } from './histogram.ts'
import type { DurationSummary } from './histogram.ts'

/** A snapshot of what a pool has done. All durations in milliseconds. */
export interface PoolMetrics {
  name: string
  /** Threads: those that take tasks, and those that are starting or ending. */
  threads: { ready: number; starting: number; stopping: number }
  /** Tasks in the queue. */
  waiting: number
  /** Tasks whose promises are pending, those in the queue included. */
  pending: number
  /** Handlers that returned, that threw. */
  completed: number
  failed: number
  /** Tasks given up by their signal; by `timeoutMs`. */
  cancelled: number
  timedOut: number
  /** Tasks refused or dropped because the queue was full. */
  rejected: number
  /** Tasks that died with their thread, and those of them that were sent again. */
  lost: number
  retried: number
  /** Threads that ended unasked, or could not be made. */
  crashes: number
  breaker: 'closed' | 'open' | 'trying'
  /** Keys that are refused. */
  quarantined: string[]
  /** Time in the queue, and time in the handler. */
  wait: DurationSummary
  run: DurationSummary
  /** By name of the handler. */
  tasks: Record<string, TaskMetrics>
  /** One entry for each thread that there is. */
  workers: WorkerMetrics[]
}

/** What was done under one name. */
export interface TaskMetrics {
  completed: number
  failed: number
  wait: DurationSummary
  run: DurationSummary
}

/** What one thread has done. */
export interface WorkerMetrics extends TaskMetrics {
  thread: number
  threadId: number
  state: 'starting' | 'ready' | 'stopping' | 'exited'
  /**
   * Time with at least one task in hand, counted by the thread itself: `eventLoopUtilization` calls a thread busy
   * that is asleep.
   */
  busyMs: number
  /** `busyMs` as a part of the time since it was ready, 0 to 1. */
  utilization: number
}

/** Counts what is done under one name. */
export class TaskMeter {
  completed = 0
  failed = 0
  readonly waits: Histogram = new Histogram()
  readonly runs: Histogram = new Histogram()

  metrics(): TaskMetrics {
    return {
      completed: this.completed,
      failed: this.failed,
      wait: this.waits.summary(),
      run: this.runs.summary(),
    }
  }
}
