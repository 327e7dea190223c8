export { attachWorkQueue, createWorkQueue } from './work-queue.ts'
export type {
  Claim,
  DequeueManyOptions,
  Draft,
  EnqueueOptions,
  ParticipantInfo,
  ReapReport,
  Source,
  TimedWait,
  Wait,
  WorkBatch,
  WorkItem,
  WorkQueue,
  WorkQueueHandle,
  WorkQueueOptions,
} from './work-queue.ts'
export type { BandStats, WaitHistogram, WorkQueueStats } from './stats.ts'
export { WorkQueueError } from './errors.ts'
export type { WorkQueueErrorCode } from './errors.ts'
