// A producer or a consumer of stress.test.ts. What it reports goes into shared memory, so that it counts
// whenever the thread is killed.
import { workerData } from 'node:worker_threads'
import { attachWorkQueue } from '../../src/index.ts'
import type { WorkItem, WorkQueueHandle } from '../../src/index.ts'

export interface StressData {
  role: 'producer' | 'consumer'
  /** Which of the role's forms this thread uses. */
  form: number
  handle: WorkQueueHandle
  shared: SharedArrayBuffer
  /** Of a producer: its number, and how many items it makes. */
  producer: number
  items: number
}

/** Words of the shared memory: items taken, then the next item of each producer; then a byte for each item. */
export const SHARED = { TAKEN: 0, BAD: 1, NEXT: 2, BYTES: 64 } as const

/** Tells the items of all producers apart. */
export function tagOf(producer: number, index: number): number {
  return producer * 2 ** 24 + index
}

/** Of any length: most fit a slot, one in sixteen takes up to eight blocks. */
export function makeItem(producer: number, index: number): Uint8Array {
  const random = Math.imul(tagOf(producer, index) + 1, 0x9e3779b1) >>> 16
  const bytes = new Uint8Array(random % 16 === 0 ? 4 + (random % 2040) : 4 + (random % 108))
  new DataView(bytes.buffer).setUint32(0, tagOf(producer, index))
  bytes.fill(index, 4)
  return bytes
}

/** Whether an item has arrived as it was made. */
export function isWhole({ bytes, tag }: WorkItem): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(0) !== tag) return false
  for (let at = 4; at < bytes.length; at++) if (bytes[at] !== (tag & 255)) return false
  return bytes.length === makeItem(Math.floor(tag / 2 ** 24), tag % 2 ** 24).length
}

if (workerData !== null) {
  const { role, form, handle, shared, producer, items } = workerData as StressData
  const queue = attachWorkQueue(handle)
  const words = new Int32Array(shared, 0, SHARED.BYTES / 4)
  if (role === 'producer') await produce()
  else await consume()
  queue.detach()

  async function produce(): Promise<void> {
    const next = SHARED.NEXT + producer
    for (let index = Atomics.load(words, next); index < items;) {
      const band = index % 3 === 0 ? 1 : 0
      const options = { band, tag: tagOf(producer, index) }
      const bytes = makeItem(producer, index)
      if (form === 0) queue.enqueueSync(bytes, options)
      else if (form === 1) await queue.enqueue(bytes, options)
      else if (form === 2) {
        let done = false
        while (!done) {
          done = queue.tryEnqueue(bytes, options)
          done ||= queue.enqueueSync(bytes, { ...options, timeoutMs: 1 })
        }
      } else if (bytes.length > queue.slotBytes) {
        const draft = queue.draft()
        draft.writeSync(bytes)
        queue.enqueueSync(draft, options)
      } else {
        const claim = queue.claimSync(bytes.length, options)
        claim?.bytes.set(bytes)
        claim?.publish()
      }
      index++
      Atomics.store(words, next, index)
    }
  }

  async function consume(): Promise<void> {
    const last = new Map<number, number>()
    const seen = new Uint8Array(shared, SHARED.BYTES)
    const see = (item: WorkItem): void => {
      const from = Math.floor(item.tag / 2 ** 24) * 2 + item.band
      if (!isWhole(item) || item.tag <= (last.get(from) ?? -1)) Atomics.add(words, SHARED.BAD, 1)
      last.set(from, item.tag)
      const index = item.tag % 2 ** 24
      Atomics.add(seen, Math.floor(item.tag / 2 ** 24) * items + index, 1)
      Atomics.add(words, SHARED.TAKEN, 1)
      Atomics.notify(words, SHARED.TAKEN)
    }
    for (;;) {
      if (form % 2 === 0) {
        const item = form === 0 ? queue.dequeueSync() : await queue.dequeue()
        if (item === undefined) return
        see(item)
      } else {
        const batch = form === 1 ? queue.dequeueManySync({ max: 20 }) : await queue.dequeueMany()
        if (batch === undefined) return
        for (const item of batch) see(item)
      }
    }
  }
}
