// Loaded into every thread of a server with `--import`: collects garbage and tells what is left when asked.
import process from 'node:process'
import { threadName } from 'node:worker_threads'
import type { ThreadHeap } from './heaps-of-threads.ts'

export type HeapMessage = 'measure' | ThreadHeap

const channel = new BroadcastChannel('heap-probe')
channel.unref()
channel.addEventListener('message', (event) => {
  if (!(event instanceof MessageEvent) || (event.data as HeapMessage) !== 'measure') return
  globalThis.gc?.()
  const { heapUsed: usedBytes } = process.memoryUsage()
  channel.postMessage({ thread: threadName ?? '', usedBytes } satisfies HeapMessage)
})
