export { defineWorker, move } from './define-worker.ts'
export type { Handler, Moved, TaskContext, ThreadInfo, WorkerDefinition } from './define-worker.ts'
