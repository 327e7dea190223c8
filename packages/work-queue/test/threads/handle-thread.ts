// Gets a handle as `workerData` or in a message, passes it on to a thread of its own if it is told so, and puts one item in.
import { Worker, parentPort, workerData } from 'node:worker_threads'
import { attachWorkQueue } from '../../src/index.ts'
import type { WorkQueueHandle } from '../../src/index.ts'

export interface HandleMessage {
  handle: WorkQueueHandle
  tag: number
  /** How many threads further the handle is to go. */
  further: number
}

function use({ handle, tag, further }: HandleMessage): void {
  if (further > 0) {
    const next: HandleMessage = { handle, tag, further: further - 1 }
    new Worker(new URL(import.meta.url)).postMessage(next)
    return
  }
  using queue = attachWorkQueue(handle)
  queue.enqueueSync(Uint8Array.of(tag), { tag })
}

const data = workerData as HandleMessage | null | undefined
if (data === null || data === undefined) parentPort?.once('message', use)
else use(data)
