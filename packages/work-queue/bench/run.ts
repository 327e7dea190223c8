// Hand-off and throughput of 64-byte items, against what else passes them between threads:
//
//   node bench/run.ts [rounds]             prints the page
//   node bench/run.ts [rounds] --write     writes bench/RESULTS.md
//
// First each contender passes a few items, all of which are looked at: nothing is timed that gives wrong answers. Then all
// run in turn in each round, in fresh threads, so that a busy moment of the machine meets all of them; the
// median of the rounds counts. Order, losses and doubles are looked at in each run. Times start when all threads
// are up and end when the last item was seen.
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { once } from 'node:events'
import { availableParallelism, cpus, loadavg } from 'node:os'
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

/** A contender, and the least that it is to be, as a multiple of MessagePort with fresh Uint8Arrays. */
interface Contender {
  name: string
  target?: number
  /** Items of each producer in a timed run. */
  items: number
  /** @returns million items a second @throws if an item was lost, doubled or out of order */
  run(items: number): Promise<number>
}

const contenders: Contender[] = [
  { name: '1 × 1 MessagePort, Uint8Array', items: 200_000, run: (n) => messagePort('', n, 1) },
  { name: '1 × 1 MessagePort, string', items: 400_000, run: (n) => messagePort('string ', n, 1) },
  { name: '1 × 1 multithreading channel', items: 20_000, run: (n) => channelThroughput(n, 1) },
  { name: '1 × 1 ringbuf.js', items: 3_000_000, run: (n) => ring(n, 1) },
  { name: '1 × 1 ringbuf.js, 64 at once', items: 64 * 200_000, run: (n) => ring(n, 64) },
  { name: '1 × 1 work-queue', target: 15, items: 3_000_000, run: (n) => workQueue(n, 1, 1) },
  {
    name: '1 × 1 work-queue, 64 at once',
    target: 40,
    items: 12_000_000,
    run: (n) => workQueue(n, 1, 64),
  },
  { name: '4 × 4 MessagePort, Uint8Array', items: 100_000, run: (n) => messagePort('', n, 4) },
  { name: '4 × 4 MessagePort, string', items: 200_000, run: (n) => messagePort('string ', n, 4) },
  { name: '4 × 4 multithreading channel', items: 5_000, run: (n) => channelThroughput(n, 4) },
  { name: '4 × 4 work-queue', target: 4, items: 750_000, run: (n) => workQueue(n, 4, 1) },
  {
    name: '4 × 4 work-queue, 64 at once',
    target: 20,
    items: 4_000_000,
    run: (n) => workQueue(n, 4, 64),
  },
]

const rounds = Number(process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? 5)

for (const contender of contenders) await contender.run(64 * 10)

const rates = new Map<Contender, number[]>(contenders.map((contender) => [contender, []]))
const handOffs = { MessagePort: [] as number[][], 'work-queue': [] as number[][] }
const loadBefore = loadavg()[0] ?? NaN
for (let round = 0; round < rounds; round++) {
  handOffs.MessagePort.push(await portHandOff(20_000))
  handOffs['work-queue'].push(await queueHandOff(400_000))
  for (const contender of contenders) {
    const measured = await contender.run(contender.items)
    process.stderr.write(`round ${round + 1}, ${contender.name}: ${measured.toFixed(2)}\n`)
    rates.get(contender)?.push(measured)
  }
}

const page = `# Figures

64-byte items, in worker threads. Each run checks that no item is lost, doubled or out of order. Medians of ${rounds} rounds, in
which all took turns; ratios are medians of the rounds' ratios, and only they travel to other machines.

${new Date().toISOString().slice(0, 10)}, Node.js ${process.versions.node}, ${availableParallelism()} × ${cpus()[0]?.model}, shared with other work (load average before: ${loadBefore.toFixed(1)}),
${versionOf('multithreading')}, ${versionOf('ringbuf.js')}. \`pnpm bench --write\` writes this page.

## Hand-off

One item there and one back, both sides busy; half of the round trip.

| | p50 | p99 | target |
| --- | --: | --: | --- |
${handOffRows()}

## Throughput

| | million a second | ÷ MessagePort, Uint8Array | ÷ MessagePort, string | target |
| --- | --: | --: | --: | --- |
${rateRows()}

A MessagePort sends a fresh \`Uint8Array\`, or string, an item, and gives its receiver a turn after a thousand; ringbuf.js passes bytes between one
producer and one consumer, and has no way to wait; the channel of multithreading passes strings as JSON.
`
if (process.argv.includes('--write')) writeFileSync(new URL('RESULTS.md', import.meta.url), page)
else process.stdout.write(page)

function handOffRows(): string {
  const faster = median(
    handOffs.MessagePort.map(
      (times, round) => (times[0] ?? 0) / (handOffs['work-queue'][round]?.[0] ?? NaN),
    ),
  )
  return Object.entries(handOffs)
    .map(([name, all]) => {
      const [p50, p99] = [0, 1].map((at) => median(all.map((times) => times[at] ?? 0)))
      const verdict =
        name === 'work-queue'
          ? `under 1 µs: ${met((p50 ?? 0) < 1000)}; 8 × as fast: ${met(faster >= 8)}, ${faster.toFixed(0)} ×`
          : ''
      return `| ${name} | ${us(p50)} | ${us(p99)} | ${verdict} |`
    })
    .join('\n')
}

function rateRows(): string {
  return [...rates]
    .map(([{ name, target }, all]) => {
      const over = (base: string): number => {
        const theirs = [...rates].find(([other]) => other.name === `${name.slice(0, 5)} ${base}`)
        return median(all.map((value, round) => value / (theirs?.[1][round] ?? NaN)))
      }
      const bytes = over('MessagePort, Uint8Array')
      const verdict = target === undefined ? '' : `${target} ×: ${met(bytes >= target)}`
      return `| ${name} | ${median(all).toFixed(2)} | ${bytes.toFixed(1)} | ${over('MessagePort, string').toFixed(1)} | ${verdict} |`
    })
    .join('\n')
}

function met(isMet: boolean): string {
  return isMet ? 'met' : 'short'
}

function versionOf(name: string): string {
  const require = createRequire(import.meta.url)
  const manifest = new URL(`../node_modules/${name}/package.json`, import.meta.url)
  return `${name} ${String((require(manifest.pathname) as { version: unknown }).version)}`
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
}

function us(nanoseconds: number | undefined): string {
  return `${((nanoseconds ?? 0) / 1000).toFixed(2)} µs`
}
