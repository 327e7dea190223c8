import type { HeapMessage } from './heap-probe.ts'

export interface ThreadHeap {
  /** Its name: empty for the main thread. */
  readonly thread: string
  readonly usedBytes: number
}

/** Flags for Node that let {@link heapsOfThreads} look into every thread of a process. */
export const heapProbeFlags: readonly string[] = [
  '--import',
  new URL('heap-probe.ts', import.meta.url).href,
]

/** What is on the heap of each thread of this process after a collection. `threads` says how many there are. */
export async function heapsOfThreads(threads: number): Promise<ThreadHeap[]> {
  const channel = new BroadcastChannel('heap-probe')
  const heaps: ThreadHeap[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  channel.addEventListener('message', (event) => {
    if (!(event instanceof MessageEvent)) return
    const message = event.data as HeapMessage
    if (message !== 'measure') heaps.push(message)
    if (heaps.length === threads) resolve()
  })
  channel.postMessage('measure' satisfies HeapMessage)
  await promise
  channel.close()
  return heaps
}
