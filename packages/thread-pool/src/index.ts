export { ThreadPool } from './pool.ts'
export type { CloseReport, UnstartedTask } from './pool.ts'
export type { RunOptions, ThreadPoolOptions, WhenFull } from './options.ts'
export type { PoolMetrics, TaskMetrics, WorkerMetrics } from './pool-metrics.ts'
export type { DurationSummary } from './histogram.ts'
export type {
  PoolEvents,
  ScaleEvent,
  TaskDiagnostics,
  ThreadEvent,
  ThreadExitEvent,
} from './pool-events.ts'
export type { StartWorker, WorkerLike } from './thread.ts'
export type { TaskName, TaskResult, TaskValue, UntypedWorker } from './worker-types.ts'
export { ThreadPoolError } from './errors.ts'
export type { ThreadPoolErrorCode } from './errors.ts'
