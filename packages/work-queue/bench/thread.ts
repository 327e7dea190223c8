// One thread of a run. Each makes its own items, numbered, and whoever takes them looks at the numbers.
import process from 'node:process'
import { parentPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { RingBuffer } from 'ringbuf.js'
import { ITEM_BYTES } from './item.ts'
import { attachWorkQueue } from '../src/index.ts'
import type { WorkQueue, WorkQueueHandle } from '../src/index.ts'

export interface ThreadData {
  role: string
  go: SharedArrayBuffer
  /** Items to put in, or to take where the number is known. */
  items: number
  producer: number
  producers: number
  batch: number
  handle?: WorkQueueHandle
  back?: WorkQueueHandle
  port?: MessagePort
  ring?: SharedArrayBuffer
}

/** What a consumer has seen. */
export interface Seen {
  count: number
  /** Items not larger than the last one of the same producer: doubled or out of order. */
  wrong: number
}

const data = workerData as ThreadData
const roles: Record<string, () => void | Promise<void>> = {
  'queue producer': queueProducer,
  'queue consumer': queueConsumer,
  'queue batch producer': queueBatchProducer,
  'queue batch consumer': queueBatchConsumer,
  'queue ping': queuePing,
  'queue pong': queuePong,
  'port producer': portProducer,
  'port string producer': portStringProducer,
  'port consumer': portConsumer,
  'port ping': portPing,
  'port pong': portPong,
  'ring producer': ringProducer,
  'ring consumer': ringConsumer,
}
await roles[data.role]?.()

function start(): void {
  parentPort?.postMessage('ready')
  Atomics.wait(new Int32Array(data.go), 0, 0)
}

function done(result: Seen | number[] = []): void {
  parentPort?.postMessage(result)
}

function queueProducer(): void {
  const queue = attach(data.handle)
  const { bytes, view } = makeItem()
  start()
  for (let i = 0; i < data.items; i++) {
    view.setUint32(0, i, true)
    queue.enqueueSync(bytes)
  }
  done()
}

function queueConsumer(): void {
  const queue = attach(data.handle)
  const account = makeAccount()
  start()
  for (let item = queue.dequeueSync(); item !== undefined; item = queue.dequeueSync()) {
    account.seeBytes(item.bytes, 0)
  }
  done({ count: account.count, wrong: account.wrong })
}

function queueBatchProducer(): void {
  const queue = attach(data.handle)
  const list = Array.from({ length: data.batch }, makeItem)
  const sources = list.map(({ bytes }) => bytes)
  start()
  for (let i = 0; i < data.items; i += data.batch) {
    for (const [at, { view }] of list.entries()) view.setUint32(0, i + at, true)
    queue.enqueueManySync(sources)
  }
  done()
}

function queueBatchConsumer(): void {
  const queue = attach(data.handle)
  const account = makeAccount()
  start()
  for (let b = queue.dequeueManySync(); b !== undefined; b = queue.dequeueManySync()) {
    for (let i = 0; i < b.length; i++) account.seeBytes(b.memory, b.byteOffset(i))
  }
  done({ count: account.count, wrong: account.wrong })
}

function queuePing(): void {
  const there = attach(data.handle)
  const back = attach(data.back)
  const { bytes } = makeItem()
  const times = new Float64Array(data.items)
  start()
  for (let i = 0; i < data.items; i++) {
    const before = process.hrtime.bigint()
    there.enqueueSync(bytes)
    back.dequeueSync()
    times[i] = Number(process.hrtime.bigint() - before)
  }
  there.close()
  done(quantiles(times))
}

function queuePong(): void {
  const there = attach(data.handle)
  const back = attach(data.back)
  start()
  for (let item = there.dequeueSync(); item !== undefined; item = there.dequeueSync()) {
    back.enqueueSync(item.bytes)
  }
  done()
}

async function portProducer(): Promise<void> {
  start()
  for (let i = 0; i < data.items; i++) {
    const { bytes, view } = makeItem()
    view.setUint32(0, i, true)
    data.port?.postMessage(bytes)
    if (i % 1000 === 999) await turn()
  }
  done()
}

async function portStringProducer(): Promise<void> {
  const rest = 'x'.repeat(ITEM_BYTES - 8)
  start()
  for (let i = 0; i < data.items; i++) {
    data.port?.postMessage(String(i).padStart(8, '0') + rest)
    if (i % 1000 === 999) await turn()
  }
  done()
}

function portConsumer(): void {
  const account = makeAccount()
  data.port?.on('message', (message: Uint8Array | string) => {
    if (typeof message === 'string') account.see(Number(message.slice(0, 8)), data.producer)
    else account.seeBytes(message, 0)
    if (account.count === data.items) {
      data.port?.close()
      done({ count: account.count, wrong: account.wrong })
    }
  })
  start()
}

function portPing(): void {
  const times = new Float64Array(data.items)
  const { bytes } = makeItem()
  let i = -1
  let before = 0n
  data.port?.on('message', () => {
    if (i >= 0) times[i] = Number(process.hrtime.bigint() - before)
    if (++i === data.items) {
      data.port?.close()
      done(quantiles(times))
      return
    }
    before = process.hrtime.bigint()
    data.port?.postMessage(bytes)
  })
  start()
}

function portPong(): void {
  data.port?.on('message', (message: Uint8Array) => data.port?.postMessage(message))
  data.port?.on('close', () => done())
  start()
  data.port?.postMessage('go')
}

// It has no way to wait: both sides try again.
function ringProducer(): void {
  const ring = new RingBuffer(data.ring as SharedArrayBuffer, Uint8Array)
  const bytes = new Uint8Array(ITEM_BYTES * data.batch)
  const view = new DataView(bytes.buffer)
  for (let at = 0; at < data.batch; at++) view.setUint32(at * ITEM_BYTES + 4, data.producer, true)
  start()
  for (let i = 0; i < data.items; i += data.batch) {
    for (let at = 0; at < data.batch; at++) view.setUint32(at * ITEM_BYTES, i + at, true)
    for (let pushed = 0; pushed < bytes.length;) {
      pushed += ring.push(pushed === 0 ? bytes : bytes.subarray(pushed))
    }
  }
  done()
}

function ringConsumer(): void {
  const ring = new RingBuffer(data.ring as SharedArrayBuffer, Uint8Array)
  const account = makeAccount()
  const bytes = new Uint8Array(ITEM_BYTES * data.batch)
  start()
  while (account.count < data.items) {
    for (let popped = 0; popped < bytes.length;) {
      popped += ring.pop(popped === 0 ? bytes : bytes.subarray(popped))
    }
    for (let at = 0; at < data.batch; at++) account.seeBytes(bytes, at * ITEM_BYTES)
  }
  done({ count: account.count, wrong: account.wrong })
}

function attach(handle: WorkQueueHandle | undefined): WorkQueue {
  return attachWorkQueue(handle as WorkQueueHandle)
}

function makeItem(): { bytes: Uint8Array<ArrayBuffer>; view: DataView } {
  const bytes = new Uint8Array(ITEM_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(4, data.producer, true)
  return { bytes, view }
}

interface Account extends Seen {
  see(number: number, producer: number): void
  seeBytes(bytes: Uint8Array, at: number): void
}

function makeAccount(): Account {
  const last = new Int32Array(data.producers).fill(-1)
  const word = (bytes: Uint8Array, at: number): number =>
    ((bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24)) >>>
    0
  const account = {
    count: 0,
    wrong: 0,
    see(number: number, producer: number): void {
      if (number <= (last[producer] ?? 0)) account.wrong++
      last[producer] = number
      account.count++
    },
    seeBytes(bytes: Uint8Array, at: number): void {
      account.see(word(bytes, at), word(bytes, at + 4))
    },
  }
  return account
}

function quantiles(times: Float64Array): number[] {
  const sorted = times.subarray(times.length >> 2).toSorted()
  return [0.5, 0.99].map((q) => (sorted[Math.floor(sorted.length * q)] ?? 0) / 2)
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
