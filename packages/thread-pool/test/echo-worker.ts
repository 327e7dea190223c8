import { defineWorker } from '../src/worker.ts'

/** Gives back what it gets. */
export const worker = defineWorker({
  handlers: {
    default: (task: unknown) => task,
    later: async (task: unknown) => task,
  },
})
