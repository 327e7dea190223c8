// How many answers a second, and how much processor time for one, against bare node:http that sends
// a constant of the same size: `node bench/answers.ts [rounds]`.
//
// All contenders run in each round, one after the other, so that what else the machine does falls
// on all of them. Each run begins with a shorter one that is not counted. The client needs a core of
// its own; where it has none, only the processor time says something.
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { measure } from './load.ts'
import { record } from './record.ts'

const rounds = Number(process.argv[2] ?? 5)
const contenders = ['bare', 'memory', 'lmdb', 'metered']
const head = 'users/500.json HTTP/1.1\r\nHost: 127.0.0.1\r\n'
const requests = {
  GET: Buffer.from(`GET /${head}\r\n`),
  PUT: Buffer.from(`PUT /${head}Content-Length: ${record.length}\r\n\r\n${record}`),
}

interface Run {
  readonly perSecond: number
  readonly cpuMicroseconds: number
}

interface Contender {
  readonly child: ChildProcess
  readonly port: number
}

const running = await Promise.all(contenders.map(start))
for (const [method, request] of Object.entries(requests)) {
  console.log(`${method} of ${record.length} bytes, 64 connections: ${contenders.join(', ')}`)
  const results: Run[][] = []
  for (let round = 0; round < rounds; round++) {
    const runs: Run[] = []
    for (const contender of running) runs.push(await run(contender, request))
    results.push(runs)
    const shown = runs.map(
      (it) => `${Math.round(it.perSecond)}/s ${it.cpuMicroseconds.toFixed(1)} us`,
    )
    console.log(`  ${shown.join('   ')}`)
  }
  for (const [index, name] of contenders.entries()) {
    if (index === 0) continue
    // What metrics cost shows against the same server without them.
    const base = name === 'metered' ? contenders.indexOf('lmdb') : 0
    const rate = median(results.map((runs) => ratio(runs, index, base, 'perSecond')))
    const cpu = median(results.map((runs) => ratio(runs, base, index, 'cpuMicroseconds')))
    console.log(
      `  ${name} / ${contenders[base]}: answers ${rate.toFixed(2)}, by processor time ${cpu.toFixed(2)}`,
    )
  }
}
for (const { child } of running) child.kill()

function ratio(runs: readonly Run[], above: number, below: number, key: keyof Run): number {
  return (runs[above]?.[key] ?? 0) / (runs[below]?.[key] ?? 1)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
}

async function run({ child, port }: Contender, request: Buffer): Promise<Run> {
  await measure({ port, request, connections: 64, durationMs: 500 })
  const before = await cpuTime(child)
  const answers = await measure({ port, request, connections: 64, durationMs: 2000 })
  return {
    perSecond: answers / 2,
    cpuMicroseconds: ((await cpuTime(child)) - before) / answers,
  }
}

async function cpuTime(child: ChildProcess): Promise<number> {
  child.send('cpu')
  const [{ user, system }] = (await once(child, 'message')) as [NodeJS.CpuUsage]
  return user + system
}

async function start(name: string): Promise<Contender> {
  const child = fork(fileURLToPath(new URL('server.ts', import.meta.url)), [name])
  const [port] = (await once(child, 'message')) as [number]
  return { child, port }
}
