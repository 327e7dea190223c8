// What blocking.test.ts has done in a worker thread.
import { parentPort, workerData } from 'node:worker_threads'
import { attachWorkQueue } from '../../src/index.ts'
import type { WorkQueueHandle } from '../../src/index.ts'
import { Ring } from '../../src/ring.ts'

if (parentPort === null) throw new Error('Meant to run as a worker thread')
const { handle, action } = workerData as { handle: WorkQueueHandle; action: string }
const queue = attachWorkQueue(handle)
const one = Uint8Array.of(1)
const waitForDeath = (): void => {
  parentPort?.postMessage('ready')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}
const actions: Record<string, () => unknown> = {
  'take one': () => queue.dequeueSync()?.tag,
  'take one while another call is pending': async () => {
    const pending = queue.dequeue()
    const { wait } = Atomics
    let woken: string | undefined
    Atomics.wait = ((...parameters: Parameters<typeof wait>) => {
      Atomics.wait = wait
      parentPort?.postMessage('asleep')
      woken = wait(...parameters)
      return woken
    }) as typeof wait
    const first = queue.dequeueSync({ timeoutMs: 8000 })
    // Not 'timed-out'; 'not-equal' if this thread has been stopped on its way to sleep.
    parentPort?.postMessage(woken)
    return [first?.tag, (await pending)?.tag]
  },
  'take many': () => queue.dequeueManySync()?.length,
  'take nothing in time': () => [
    queue.dequeueSync({ timeoutMs: 1 }),
    queue.dequeueManySync({ timeoutMs: 0 }),
  ],
  'put until full': () => {
    let count = 0
    while (queue.enqueueSync(one, { timeoutMs: 1 })) count++
    return [
      count,
      queue.enqueueManySync([one], { timeoutMs: 1 }),
      queue.claimSync(1, { timeoutMs: 1 }),
      queue.enqueueSync(new Uint8Array(200), { timeoutMs: 1 }),
    ]
  },
  'put one': () => queue.enqueueSync(one, { tag: 7 }),
  'put many of which one is too large': () =>
    queue.enqueueManySync([one, new Uint8Array(queue.maxItemBytes + 1)]),
  'put many': () => queue.enqueueManySync([one, new Uint8Array(200), one], { tag: 7 }),
  'write in place': () => {
    const claim = queue.claimSync(3)
    claim?.bytes.fill(9)
    claim?.publish()
    return claim?.bytes.length
  },
  'write a draft': () => {
    using draft = queue.draft()
    return [
      draft.reserveSync(100),
      draft.writeSync(new Uint8Array(100)),
      draft.writeSync(new Uint8Array(1900), { timeoutMs: 1 }),
      queue.enqueueSync(draft),
    ]
  },
  'hold everything and die': () => {
    queue.draft().tryWrite(new Uint8Array(300))
    queue.tryClaim(1)
    waitForDeath()
  },
  'take one and die before that is known': () => {
    Ring.prototype.release = waitForDeath
    queue.dequeueSync()
  },
}
let result: unknown
try {
  result = await actions[action]?.()
} catch (error) {
  result = error instanceof Error && 'code' in error ? error.code : error
}
parentPort.postMessage(result)
