/**
 * How long small durable writes take while a value of 256 MB is taken in: staged in slices by the
 * thread that writes them, or by another one. Small writes come at fixed times, 500 a second, so that
 * those that come while others wait are counted with their wait. Phases without and with the large
 * value alternate.
 *
 *     pnpm bench:large-put [rounds]
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setImmediate } from 'node:timers/promises'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { parsePath } from '@elkyn/tree'
import { openTree } from '../src/index.ts'
import type { Tree } from '../src/index.ts'

const LARGE_BYTES = 256 * 1024 * 1024
const CHUNK_BYTES = 64 * 1024
const INTERVAL_MS = 2
const QUIET_MS = 6000

if (isMainThread) await compare(Number(process.argv[2] ?? 3))
else await putWhenAsked(workerData as string)

interface Phase {
  readonly p50: number
  readonly p99: number
  readonly worst: number
  readonly seconds: number
  readonly megabytes: number
}

async function compare(rounds: number): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), 'elkyn-large-put-'))
  const tree = await openTree({ path })
  const worker = new Worker(new URL(import.meta.url), { workerData: path })
  const putInThread = async (): Promise<void> =>
    new Promise((resolve) => {
      worker.once('message', () => {
        resolve()
      })
      worker.postMessage('put')
    })
  try {
    await writeSmall(tree, async () => quiet(1000))
    const ratios: Record<string, number[]> = { 'this thread': [], 'another thread': [] }
    for (let round = 0; round < rounds; round++) {
      for (const [name, put] of [
        ['this thread', async () => putLarge(tree)],
        ['another thread', putInThread],
      ] as const) {
        const before = await writeSmall(tree, async () => quiet(QUIET_MS))
        const during = await writeSmall(tree, put)
        ratios[name]!.push(during.p99 / before.p99)
        process.stdout.write(
          `${name}: p50 ${before.p50.toFixed(1)} to ${during.p50.toFixed(1)} ms, ` +
            `p99 ${before.p99.toFixed(1)} to ${during.p99.toFixed(1)} ms, ` +
            `${(during.p99 / before.p99).toFixed(1)} times; worst ${during.worst.toFixed(0)} ms, ` +
            `${during.seconds.toFixed(1)} s, ${during.megabytes.toFixed(0)} MB over idle\n`,
        )
        await tree.delete('/large')
        while (tree.stats().graves > 0) await setImmediate()
      }
    }
    for (const [name, all] of Object.entries(ratios)) {
      process.stdout.write(`${name}: median ${percentile(all, 0.5).toFixed(1)} times\n`)
    }
  } finally {
    await worker.terminate()
    await tree.close()
    rmSync(path, { recursive: true })
  }
}

/** Writes small values all the time that something else takes. */
async function writeSmall(tree: Tree, beside: () => Promise<void>): Promise<Phase> {
  const waits: number[] = []
  const written: Promise<void>[] = []
  let isOver = false
  const idleBytes = memoryBytes()
  let mostBytes = idleBytes
  const start = performance.now()
  const write = async (number: number, due: number): Promise<void> => {
    await tree.set(`/small/${number % 1000}`, { number, text: 'some text of a usual length' })
    waits.push(performance.now() - due)
  }
  const running = beside().finally(() => {
    isOver = true
  })
  let next = start
  // oxlint-disable-next-line no-unmodified-loop-condition -- changed when it is over
  for (let number = 0; !isOver;) {
    for (; next <= performance.now(); next += INTERVAL_MS) written.push(write(number++, next))
    mostBytes = Math.max(mostBytes, memoryBytes())
    await setImmediate()
  }
  await running
  await Promise.all(written)
  return {
    p50: percentile(waits, 0.5),
    p99: percentile(waits, 0.99),
    worst: Math.max(...waits),
    seconds: (performance.now() - start) / 1000,
    megabytes: (mostBytes - idleBytes) / 1e6,
  }
}

async function quiet(durationMs: number): Promise<void> {
  const end = performance.now() + durationMs
  while (performance.now() < end) await setImmediate()
}

/** Takes in a list of records as a body arrives: a chunk in each turn of the event loop. */
async function putLarge(tree: Tree): Promise<void> {
  const stager = tree.store.stage({ depth: 1 })
  const record = `{"active":true,"email":"user@example.com","name":"Somebody","text":"${'x'.repeat(120)}"}`
  let chunk = '{'
  for (let sent = 0, number = 0; sent < LARGE_BYTES;) {
    while (chunk.length < CHUNK_BYTES) chunk += `${number === 0 ? '' : ','}"r${number++}":${record}`
    stager.write(Buffer.from(chunk))
    sent += chunk.length
    chunk = ''
    await setImmediate()
  }
  stager.write(Buffer.from('}'))
  const [pair] = stager.end()
  await tree.store.write({ pairs: [{ path: parsePath('/large'), value: pair!.value }] })
}

async function putWhenAsked(path: string): Promise<void> {
  const tree = await openTree({ path })
  parentPort!.on('message', () => {
    void (async () => {
      await putLarge(tree)
      parentPort!.postMessage('done')
    })()
  })
}

/** Memory of the process without the pages of the data file, which the system takes back when it likes. */
function memoryBytes(): number {
  const [, kibibytes] =
    /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return Number(kibibytes) * 1024
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}
