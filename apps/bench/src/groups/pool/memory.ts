import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { openTree } from '@elkyn/storage-lmdb'
import { loadTree } from '../../engines/elkyn.ts'
import { memoryByMapping, memoryOf } from '../../http/process-memory.ts'
import { installPublishedServer } from '../../published-server.ts'
import { LIST, recordKey } from '../../records.ts'
import { spreadOf } from '../../spread.ts'
import type { Row } from '../../table.ts'
import { makeTemporaryFolder } from '../../temporary-folder.ts'
import { itemBatches } from '../../works/work.ts'
import type { GroupOptions } from '../group.ts'

const records = 1000
const limitMb = 8

/** Memory of one process, in megabytes. */
interface Figures {
  readonly rss: number
  readonly pss: number
  readonly parts: ReadonlyMap<string, number>
}

/** What the server takes when it has nothing to do, by the number of threads, against Node alone. */
export async function poolMemoryGroup({ rounds, say }: GroupOptions): Promise<Row[]> {
  if (process.platform !== 'linux') return []
  const work = 'memory of the idle server, PSS'
  say(work)
  await using temporary = await makeTemporaryFolder()
  const data = join(temporary.path, 'data')
  {
    await using tree = await openTree({ path: data })
    loadTree(tree, itemBatches(0, records))
  }
  const program = installPublishedServer(temporary.path)
  const all = { bare: [], bare1: [], bare4: [], server0: [], server1: [], server4: [] } as Record<
    'bare' | 'bare1' | 'bare4' | 'server0' | 'server1' | 'server4',
    Figures[]
  >
  // Nothing here is a matter of speed: few rounds are enough.
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    all.bare.push(await idleNode(0))
    all.bare1.push(await idleNode(1))
    all.bare4.push(await idleNode(4))
    all.server0.push(await idleServer(program, data, 0))
    all.server1.push(await idleServer(program, data, 1))
    all.server4.push(await idleServer(program, data, 4))
  }
  const middle = (name: keyof typeof all, part: 'rss' | 'pss'): number =>
    spreadOf(all[name].map((figures) => figures[part])).median
  const aThread = (middle('server4', 'pss') - middle('server1', 'pss')) / 3
  const aWorker = (middle('bare4', 'pss') - middle('bare1', 'pss')) / 3
  const over = aThread - aWorker
  const whole = (name: 'server4' | 'server0', text: string): Row => ({
    work: `${work}, ${text}`,
    elkyn: megabytes(middle(name, 'pss')),
    other: 'node -e',
    otherFigure: megabytes(middle('bare', 'pss')),
    target: undefined,
    note: `RSS ${megabytes(middle(name, 'rss'))}, against ${megabytes(middle('bare', 'rss'))}`,
  })
  return [
    whole('server4', '4 threads'),
    whole('server0', 'no threads'),
    {
      work: 'a further reader thread of the idle server, PSS',
      elkyn: megabytes(aThread),
      other: 'an empty worker',
      otherFigure: megabytes(aWorker),
      target: { text: `at most ${limitMb} MB over the other`, isReached: over <= limitMb },
      note: `${over.toFixed(1)} MB over; of the thread ${partsText(all.server1, all.server4)}; of the worker ${partsText(all.bare1, all.bare4)}`,
    },
  ]
}

/** Node that does nothing, with workers that do nothing. */
async function idleNode(workers: number): Promise<Figures> {
  const code = `for (let n = 0; n < ${workers}; n++) {
    new (require('node:worker_threads').Worker)('setInterval(() => {}, 1e9)', { eval: true })
  }
  setInterval(() => {}, 1e9)`
  const child = spawn(process.execPath, ['-e', code], { stdio: 'ignore' })
  await once(child, 'spawn')
  return memoryAtRest(child)
}

async function idleServer(program: string, data: string, threads: number): Promise<Figures> {
  const options = ['--no-supervise', '--threads', String(threads), '--port', '0', '--data', data]
  const args = [program, 'serve', ...options, '--log-level', 'error']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit').then(([code]): never => {
    throw new Error(`The server ended with code ${String(code)}`)
  })
  // At the end it may.
  ended.catch(() => {})
  const listening = once(createInterface(child.stdout), 'line')
  const [line] = (await Promise.race([listening, ended])) as [string]
  const url = line.slice(line.indexOf('http'))
  // So that no thread has still to learn how to answer.
  const reads = Array.from({ length: 64 }, async (_, number) => {
    const response = await fetch(`${url}/${LIST}/${recordKey(number)}.json`)
    return response.json()
  })
  await Promise.all(reads)
  return memoryAtRest(child)
}

async function memoryAtRest(child: ReturnType<typeof spawn>): Promise<Figures> {
  const pid = child.pid!
  await setTimeout(2000)
  const { rss, pss } = memoryOf(pid)
  const parts = new Map([...memoryByMapping(pid)].map(([name, bytes]) => [name, bytes / 1e6]))
  child.kill()
  await once(child, 'exit')
  return { rss: rss / 1e6, pss: pss / 1e6, parts }
}

/** What one of three further threads takes, by what lies behind the memory, the most first. */
function partsText(few: readonly Figures[], many: readonly Figures[]): string {
  const names = new Set(many.flatMap(({ parts }) => [...parts.keys()]))
  const middle = (all: readonly Figures[], name: string): number =>
    spreadOf(all.map(({ parts }) => parts.get(name) ?? 0)).median
  return [...names]
    .map((name) => [name, (middle(many, name) - middle(few, name)) / 3] as const)
    .filter(([, more]) => Math.abs(more) >= 0.1)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, more]) => `${name} ${more.toFixed(1)} MB`)
    .join(', ')
}

function megabytes(figure: number): string {
  return `${figure.toFixed(1)} MB`
}
