import { defineWorker } from '../../src/worker.ts'
import type { WorkerDefinition } from '../../src/worker.ts'
import { handle } from './handle.ts'

export const worker: WorkerDefinition<unknown, { default: (task: unknown) => unknown }> =
  defineWorker({ handlers: { default: handle } })
