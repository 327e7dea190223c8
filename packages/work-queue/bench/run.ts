// node bench/run.ts [rounds]
//
// Hand-off and throughput of 64-byte items, against what else passes them between threads. All contenders run in
// turn in each round, in fresh threads, so that a busy moment of the machine meets all of them; the
// median of the rounds counts. Order, losses and doubles are looked at in each run. Times start when all threads
// are up and end when the last item was seen.
import { once } from 'node:events'
import { availableParallelism, cpus } from 'node:os'
import process from 'node:process'
import { MessageChannel, Worker } from 'node:worker_threads'
import { RingBuffer } from 'ringbuf.js'
import { createWorkQueue } from '../src/index.ts'
import { channelThroughput } from './multithreading.ts'
import { ITEM_BYTES } from './item.ts'
import type { Seen, ThreadData } from './thread.ts'

type Options = Partial<ThreadData> & { role: string }

class Threads {
  readonly #go = new SharedArrayBuffer(4)
  readonly #workers: Worker[] = []
  readonly #producers: number

  constructor(producers: number) {
    this.#producers = producers
  }

  add(options: Options): void {
    const { port } = options
    const workerData: ThreadData = {
      go: this.#go,
      items: 0,
      producer: 0,
      producers: this.#producers,
      batch: 1,
      ...options,
    }
    const url = new URL('thread.ts', import.meta.url)
    const transferList = port === undefined ? [] : [port]
    this.#workers.push(new Worker(url, { workerData, transferList }))
  }

  /** Lets all go. @returns what they say in the end, and the seconds it took */
  async run(afterProducers: () => void = () => undefined): Promise<[unknown[], number]> {
    await Promise.all(this.#workers.map((worker) => once(worker, 'message')))
    const results = this.#workers.map(
      async (worker) => ((await once(worker, 'message')) as [unknown])[0],
    )
    const start = process.hrtime.bigint()
    Atomics.store(new Int32Array(this.#go), 0, 1)
    Atomics.notify(new Int32Array(this.#go), 0)
    await Promise.all(results.slice(0, this.#producers))
    afterProducers()
    const all = await Promise.all(results)
    const seconds = Number(process.hrtime.bigint() - start) / 1e9
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
    return [all, seconds]
  }
}

function rate(all: unknown[], seconds: number, items: number): number {
  const seen = all.filter((result): result is Seen => !Array.isArray(result))
  const count = seen.reduce((sum, result) => sum + result.count, 0)
  const wrong = seen.reduce((sum, result) => sum + result.wrong, 0)
  if (count !== items || wrong !== 0) throw new Error(`${count} of ${items} items, ${wrong} wrong`)
  return items / seconds / 1e6
}

async function workQueue(each: number, threads: number, batch: number): Promise<number> {
  const name = batch === 1 ? 'queue' : 'queue batch'
  const shared = createWorkQueue({ capacity: 4096 })
  const run = new Threads(threads)
  const { handle } = shared
  const items = Math.ceil(each / batch) * batch
  for (let producer = 0; producer < threads; producer++) {
    run.add({ role: `${name} producer`, handle, producer, items, batch })
  }
  for (let i = 0; i < threads; i++) run.add({ role: `${name} consumer`, handle })
  return rate(...(await run.run(() => shared.close())), items * threads)
}

async function messagePort(kind: string, items: number, threads: number): Promise<number> {
  const run = new Threads(threads)
  const channels = Array.from({ length: threads }, () => new MessageChannel())
  for (const [producer, { port1 }] of channels.entries()) {
    run.add({ role: `port ${kind}producer`, port: port1, producer, items })
  }
  for (const [producer, { port2 }] of channels.entries()) {
    run.add({ role: 'port consumer', port: port2, producer, items })
  }
  return rate(...(await run.run()), items * threads)
}

async function ring(items: number, batch: number): Promise<number> {
  const shared = RingBuffer.getStorageForCapacity(4096 * ITEM_BYTES, Uint8Array)
  const run = new Threads(1)
  run.add({ role: 'ring producer', ring: shared, items, batch })
  run.add({ role: 'ring consumer', ring: shared, items, batch })
  return rate(...(await run.run()), items)
}

async function queueHandOff(items: number): Promise<number[]> {
  const there = createWorkQueue({ capacity: 2 })
  const back = createWorkQueue({ capacity: 2 })
  const run = new Threads(1)
  run.add({ role: 'queue ping', handle: there.handle, back: back.handle, items })
  run.add({ role: 'queue pong', handle: there.handle, back: back.handle, items })
  const [[times]] = await run.run()
  return times as number[]
}

async function portHandOff(items: number): Promise<number[]> {
  const { port1, port2 } = new MessageChannel()
  const run = new Threads(1)
  run.add({ role: 'port ping', port: port1, items })
  run.add({ role: 'port pong', port: port2, items })
  const [[times]] = await run.run()
  return times as number[]
}

const rounds = Number(process.argv[2] ?? 5)
const contenders: [string, () => Promise<number>][] = [
  ['1 × 1 MessagePort, Uint8Array', () => messagePort('', 200_000, 1)],
  ['1 × 1 MessagePort, string', () => messagePort('string ', 400_000, 1)],
  ['1 × 1 multithreading channel', () => channelThroughput(20_000, 1)],
  ['1 × 1 ringbuf.js', () => ring(3_000_000, 1)],
  ['1 × 1 ringbuf.js, 64 at once', () => ring(64 * 200_000, 64)],
  ['1 × 1 work-queue', () => workQueue(3_000_000, 1, 1)],
  ['1 × 1 work-queue, 64 at once', () => workQueue(12_000_000, 1, 64)],
  ['4 × 4 MessagePort, Uint8Array', () => messagePort('', 100_000, 4)],
  ['4 × 4 MessagePort, string', () => messagePort('string ', 200_000, 4)],
  ['4 × 4 multithreading channel', () => channelThroughput(5_000, 4)],
  ['4 × 4 work-queue', () => workQueue(750_000, 4, 1)],
  ['4 × 4 work-queue, 64 at once', () => workQueue(4_000_000, 4, 64)],
]

const rates = new Map<string, number[]>(contenders.map(([name]) => [name, []]))
const handOffs = { port: [] as number[][], queue: [] as number[][] }
for (let round = 0; round < rounds; round++) {
  handOffs.port.push(await portHandOff(20_000))
  handOffs.queue.push(await queueHandOff(400_000))
  for (const [name, run] of contenders) rates.get(name)?.push(await run())
}

console.log(
  `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${availableParallelism()} × ${cpus()[0]?.model}, ${rounds} rounds\n`,
)
console.log('| hand-off, one way | p50 | p99 |\n| --- | --: | --: |')
for (const [name, all] of Object.entries(handOffs)) {
  const [p50, p99] = [0, 1].map((at) => median(all.map((times) => times[at] ?? 0)))
  console.log(`| ${name === 'port' ? 'MessagePort' : 'work-queue'} | ${us(p50)} | ${us(p99)} |`)
}
const ratio = median(
  handOffs.port.map((times, i) => (times[0] ?? 0) / (handOffs.queue[i]?.[0] ?? 1)),
)
console.log(`\nThe queue is ${ratio.toFixed(1)} times as fast.\n`)
console.log(
  '| 64-byte items | million a second | ÷ MessagePort, Uint8Array | ÷ string |\n| --- | --: | --: | --: |',
)
for (const [name, all] of rates) {
  const over = (base: string): string => {
    const bases = rates.get(`${name.slice(0, 5)} MessagePort, ${base}`) ?? []
    return median(all.map((value, i) => value / (bases[i] ?? 1))).toFixed(1)
  }
  console.log(`| ${name} | ${median(all).toFixed(2)} | ${over('Uint8Array')} | ${over('string')} |`)
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
}

function us(nanoseconds: number | undefined): string {
  return `${((nanoseconds ?? 0) / 1000).toFixed(2)} µs`
}
