// Small tasks through this pool and its peers, in one run:
//
//   node bench/throughput.ts            prints the page
//   node bench/throughput.ts --write    writes bench/throughput.md
//   node bench/throughput.ts --quick    a fifth of the tasks
//
// Traps avoided: all pools are warm before they are timed; each answer is compared with its question; the pools take turns,
// several rounds each, and the middle ratio of the rounds counts, so that a busy machine hits all of them; Piscina is
// first tried at each setting of a grid, and the best goes on; this pool is tried with the same numbers of threads; what
// one has left is collected before the next is timed, which would pay for it otherwise.
import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import process from 'node:process'
import { isDeepStrictEqual } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { elkyn, piscina, poolifier, tinypool, workerpoolPeer } from './peers.ts'
import type { OpenPool, Peer, PeerOptions } from './peers.ts'

const isQuick = process.argv.includes('--quick')
const rounds = 5
const tasks = isQuick ? 4000 : 20_000
const probeTasks = isQuick ? 2000 : 6000

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

class Point {
  readonly name: string = 'a class instance, whose prototype does not travel'
  readonly x: number = 1.5
  readonly y: number = -1.5
  readonly tags: string[] = ['a', 'b']
}

interface Subject {
  title: string
  target: string
  make(): unknown
}

const text =
  'One hundred characters of text, which is about what a small job brings along and takes home again..'

const subjects: Subject[] = [
  { title: 'bytes', target: '6 ×', make: () => new Uint8Array(100).fill(7) },
  { title: 'string', target: '6 ×', make: () => text },
  {
    title: 'plain JSON',
    target: '3 ×',
    make: () => ({
      id: 12_345,
      name: 'Ada',
      tags: ['a', 'b'],
      at: { x: 1.5, y: true },
      note: 'a hundred bytes of JSON, more or less',
    }),
  },
  {
    title: 'dates, maps, undefined',
    target: '1 ×',
    make: () => ({
      id: 12_345,
      at: new Date(1_700_000_000_000),
      map: new Map([['a', 1]]),
      not: undefined,
    }),
  },
  { title: 'class instance', target: '1 ×', make: () => new Point() },
]

interface Contestant {
  peer: Peer
  options: PeerOptions
  label: string
}

interface Result {
  /** Tasks a second. */
  rate: number
  p50: number
  p99: number
  /** Processor time of all threads, in microseconds a task: it does not change when others use the machine. */
  cpu: number
}

async function load(
  pool: OpenPool,
  subject: Subject,
  inFlight: number,
  count: number,
): Promise<Result> {
  const value = subject.make()
  const expected: unknown = structuredClone(value)
  // One task in eight is timed: the clock costs as much as a tenth of a task.
  const timed = inFlight === 1 ? 1 : 8
  const latencies: number[] = []
  let next = 0
  const client = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const begin = index % timed === 0 ? performance.now() : 0
      const result = await pool.run(value)
      if (begin > 0) latencies.push(performance.now() - begin)
      if (!isSame(result, expected)) throw new Error(`A wrong answer: ${String(result)}`)
    }
  }
  collectGarbage()
  const cpuBefore = process.cpuUsage()
  const begin = performance.now()
  await Promise.all(Array.from({ length: inFlight }, client))
  const elapsed = performance.now() - begin
  const cpu = process.cpuUsage(cpuBefore)
  latencies.sort((a, b) => a - b)
  const at = (fraction: number): number =>
    (latencies[Math.floor(latencies.length * fraction)] ?? 0) * 1000
  return {
    rate: count / (elapsed / 1000),
    p50: at(0.5),
    p99: at(0.99),
    cpu: (cpu.user + cpu.system) / count,
  }
}

// The full comparison of an object costs more than the pools: one answer in 64 gets it.
let compared = 0
function isSame(result: unknown, expected: unknown): boolean {
  if (typeof expected === 'string') return result === expected
  if (typeof result !== 'object' || result === null) return false
  return ++compared % 64 !== 0 || isDeepStrictEqual(result, expected)
}

async function withPool<T>(
  contestant: Contestant,
  use: (pool: OpenPool) => Promise<T>,
): Promise<T> {
  const pool = contestant.peer.open(contestant.options)
  try {
    return await use(pool)
  } finally {
    await end(pool)
  }
}

// Some do not come back from destroy().
async function end(pool: OpenPool): Promise<void> {
  const limit = new Promise((resolve) => {
    setTimeout(resolve, 1000)
  })
  await Promise.race([pool.destroy().catch(() => {}), limit])
}

/** The quickest of some settings: each is tried once, the best few twice more, and its best try counts. */
async function best(
  contestants: Contestant[],
  subject: Subject,
  inFlight: number,
): Promise<Contestant> {
  const most = new Map<Contestant, number>()
  const attempt = async (contestant: Contestant): Promise<void> => {
    const count = inFlight === 1 ? probeTasks / 3 : probeTasks
    const { rate } = await withPool(contestant, async (pool) => {
      await load(pool, subject, inFlight, count / 2)
      return load(pool, subject, inFlight, count)
    })
    most.set(contestant, Math.max(rate, most.get(contestant) ?? 0))
  }
  const order = (): Contestant[] =>
    contestants.toSorted((a, b) => (most.get(b) ?? 0) - (most.get(a) ?? 0))
  for (const contestant of contestants) await attempt(contestant)
  for (const contestant of [...order().slice(0, 4), ...order().slice(0, 4)])
    await attempt(contestant)
  const [winner] = order()
  if (winner === undefined) throw new RangeError('Nobody to choose from')
  return winner
}

function piscinaGrid(inFlight: number): Contestant[] {
  const grid: Contestant[] = []
  for (const threads of [1, 2]) {
    for (const concurrency of inFlight === 1 ? [1] : [1, 8, 64]) {
      for (const atomics of ['sync', 'async', 'disabled'] as const) {
        const label = `${threads} thread${threads === 1 ? '' : 's'}, ${concurrency} a thread, atomics ${atomics}`
        grid.push({ peer: piscina, options: { threads, concurrency, atomics }, label })
      }
    }
  }
  return grid
}

function threadGrid(peer: Peer): Contestant[] {
  return [1, 2].map((threads) => ({
    peer,
    options: { threads },
    label: `${threads} thread${threads === 1 ? '' : 's'}`,
  }))
}

interface Row {
  contestant: Contestant
  results: Result[]
}

async function compete(subject: Subject, inFlight: number): Promise<Row[]> {
  const contestants = [
    await best(threadGrid(elkyn), subject, inFlight),
    await best(piscinaGrid(inFlight), subject, inFlight),
    await best(threadGrid(tinypool), subject, inFlight),
    await best(threadGrid(poolifier), subject, inFlight),
    await best(threadGrid(workerpoolPeer), subject, inFlight),
  ]
  const pools = contestants.map((contestant) => contestant.peer.open(contestant.options))
  const rows = contestants.map((contestant): Row => ({ contestant, results: [] }))
  // The first round only warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const [index, pool] of pools.entries()) {
      // This pool is through sooner: more tasks make the times alike.
      const share = index === 0 && inFlight > 1 ? 4 : 1
      const count = inFlight === 1 ? tasks / 5 : tasks * share
      const result = await load(pool, subject, inFlight, count)
      if (round > 0) rows[index]?.results.push(result)
    }
  }
  await Promise.all(pools.map(end))
  return rows
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN
}

/** Ours divided by theirs, round by round. */
function ratio(ours: Row, theirs: Row, of: (result: Result) => number): number {
  return median(
    ours.results.map((result, round) => of(result) / of(theirs.results[round] ?? result)),
  )
}

function table(subject: Subject, inFlight: number, rows: Row[]): string {
  const [ours, theirs] = rows
  if (ours === undefined || theirs === undefined) return ''
  const rate = ratio(ours, theirs, (result) => result.rate).toFixed(2)
  const p50 = ratio(ours, theirs, (result) => result.p50).toFixed(2)
  const p99 = ratio(ours, theirs, (result) => result.p99).toFixed(2)
  const cpu = ratio(theirs, ours, (result) => result.cpu).toFixed(2)
  const target = inFlight === 1 ? '1 ×' : subject.target
  const lines = rows.map(({ contestant, results }) => {
    const middle = (key: keyof Result): number => median(results.map((each) => each[key]))
    const of = (key: keyof Result): string => Math.round(middle(key)).toLocaleString('en')
    const { name, version } = contestant.peer
    return `| ${name} ${version} | ${contestant.label} | ${of('rate')} | ${of('p50')} | ${of('p99')} | ${middle('cpu').toFixed(1)} |`
  })
  return `### ${subject.title}, ${inFlight} in flight

**${rate} ×** Piscina (target ${target}); p50 ${p50} of Piscina's, p99 ${p99} of Piscina's; ${cpu} × the tasks for the
same processor time.

| pool | setting | tasks/s | p50 µs | p99 µs | CPU µs a task |
| --- | --- | --: | --: | --: | --: |
${lines.join('\n')}
`
}

const loads = [loadavg()[0] ?? NaN]
const sections: string[] = []
for (const inFlight of [64, 1]) {
  for (const subject of subjects) {
    const section = table(subject, inFlight, await compete(subject, inFlight))
    process.stderr.write(`${section}\n`)
    sections.push(section)
    loads.push(loadavg()[0] ?? NaN)
  }
}

const page = `# Small tasks: this pool and its peers

Tasks of about 100 bytes that come back as they are. Each pool at the best setting found in the same run: Piscina of
${piscinaGrid(64).length} settings, the others with one or two threads. Figures are medians of ${rounds} rounds in which the pools took turns;
ratios are medians of the rounds' ratios, and only they travel to other machines.

Node.js ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, shared with other work (load average
${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}, this program's included), ${new Date().toISOString().slice(0, 10)}.
\`node bench/throughput.ts --write\` writes this page.

${sections.join('\n')}`

if (process.argv.includes('--write')) writeFileSync(new URL('throughput.md', import.meta.url), page)
else process.stdout.write(page)
process.exit()
