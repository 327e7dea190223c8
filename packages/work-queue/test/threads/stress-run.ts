import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { WorkItem, WorkQueue } from '../../src/index.ts'
import { SHARED, isWhole, tagOf } from './stress-thread.ts'
import type { StressData } from './stress-thread.ts'

/** Threads that put and take, and the accounts of what has arrived. */
export class StressRun {
  readonly queue: WorkQueue
  /** Items that may be missing. */
  readonly excused: Set<number> = new Set()
  readonly #words: Int32Array
  readonly #seen: Uint8Array
  readonly #shared: SharedArrayBuffer
  readonly #running = new Map<Worker, StressData>()
  readonly #items: number
  #random: number

  /** @param seed chooses whom to kill */
  constructor(producers: number, items: number, queue: WorkQueue, seed: number) {
    this.#random = seed
    this.queue = queue
    this.#items = items
    this.#shared = new SharedArrayBuffer(SHARED.BYTES + producers * items)
    this.#words = new Int32Array(this.#shared, 0, SHARED.BYTES / 4)
    this.#seen = new Uint8Array(this.#shared, SHARED.BYTES)
  }

  startProducer(producer: number): void {
    this.#start({ ...this.#data(producer), role: 'producer', producer })
  }

  startConsumer(form: number): void {
    this.#start({ ...this.#data(form), role: 'consumer' })
  }

  #data(form: number): Omit<StressData, 'role'> {
    return {
      form: form % 4,
      handle: this.queue.handle,
      shared: this.#shared,
      producer: 0,
      items: this.#items,
    }
  }

  #start(workerData: StressData): void {
    const worker = new Worker(new URL('stress-thread.ts', import.meta.url), { workerData })
    this.#running.set(worker, workerData)
    worker.once('error', (error) => {
      throw error
    })
    worker.once('exit', () => {
      this.#running.delete(worker)
    })
  }

  /** Waits until so many items were taken. */
  async taken(count: number): Promise<void> {
    for (;;) {
      const now = Atomics.load(this.#words, SHARED.TAKEN)
      if (now >= count) return
      await Atomics.waitAsync(this.#words, SHARED.TAKEN, now, 100).value
    }
  }

  /** Kills one thread at random, cleans up and starts another one. `false`: only consumers are left. */
  async killOne(): Promise<boolean> {
    const alive = [...this.#running]
    if (!alive.some(([, { role }]) => role === 'producer')) return false
    this.#random = (this.#random * 48_271) % 0x7fffffff
    const [worker, data] = alive[this.#random % alive.length] as [Worker, StressData]
    const { threadId } = worker
    await worker.terminate()
    for (const report of await this.queue.reapThread(threadId)) {
      for (const item of report.returned) this.#see(item)
      for (const tag of report.inHand) this.excused.add(tag)
    }
    if (data.role === 'consumer') {
      this.startConsumer(data.form)
    } else {
      // The call that has not returned may have put its item in: the next thread leaves it out.
      const next = SHARED.NEXT + data.producer
      this.excused.add(tagOf(data.producer, Atomics.load(this.#words, next)))
      Atomics.add(this.#words, next, 1)
      this.startProducer(data.producer)
    }
    return true
  }

  #see(item: WorkItem): void {
    assert(isWhole(item))
    Atomics.add(this.#seen, Math.floor(item.tag / 2 ** 24) * this.#items + (item.tag % 2 ** 24), 1)
  }

  async producersEnd(): Promise<void> {
    await this.#end('producer')
  }

  async allEnd(): Promise<void> {
    await this.#end('consumer')
  }

  async #end(role: StressData['role']): Promise<void> {
    const workers = [...this.#running].filter(([, data]) => data.role === role)
    await Promise.all(workers.map(([worker]) => once(worker, 'exit')))
  }

  assertOnce(): void {
    assert.equal(this.#words[SHARED.BAD], 0, 'items changed or out of order')
    assert(
      this.#seen.every((count) => count <= 1),
      'items twice',
    )
  }

  /** Tags of the items that nobody has seen. */
  lost(): number[] {
    const lost: number[] = []
    for (const [at, count] of this.#seen.entries()) {
      if (count === 0) lost.push(tagOf(Math.floor(at / this.#items), at % this.#items))
    }
    return lost
  }

  /** Nothing must be left: no item, no block, no participant. */
  assertClean(): void {
    const { blocks, bands } = this.queue.stats()
    assert.equal(blocks.free, blocks.total)
    assert(bands.every(({ depth }) => depth === 0))
    assert(this.queue.drained)
    assert.equal(this.queue.participants().length, 1)
  }
}
