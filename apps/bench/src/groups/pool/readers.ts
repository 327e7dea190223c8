import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { startLoad } from '../../http/load-generator.ts'
import type { LoadRequest, Request } from '../../http/load.ts'
import { startServer } from '../../http/started-server.ts'
import { LIST } from '../../records.ts'
import { runRounds } from '../../rounds.ts'
import type { Contender } from '../../rounds.ts'
import { ratiosOf, spreadOf } from '../../spread.ts'
import { rateText } from '../../table.ts'
import type { Row } from '../../table.ts'
import type { GroupOptions } from '../group.ts'

const target = 0.8
const records = 5000

/**
 * More and more readers on reads that take a core each: a list whose ETag has to be read anew, so that
 * the answer, 304, costs the other threads next to nothing.
 */
export async function poolReadersGroup(options: GroupOptions): Promise<Row[]> {
  const { isQuick, rounds, say } = options
  const work = `range reads of ${records.toLocaleString('en')} records that answer 304`
  say(work)
  await using resources = new AsyncDisposableStack()
  const load = resources.use(await startLoad())
  const contenders: (Contender & { readonly isPinned: boolean })[] = []
  const cores = availableParallelism()
  for (let threads = 1; threads <= cores; threads++) {
    const server = resources.use(
      await startServer({ server: 'ThreadPoolHttpServer', records, threads }),
    )
    const isPinned = pinReaders(server.pid, threads)
    const request: LoadRequest = {
      port: server.port,
      requests: [await unchangedRead(server.port)],
      connections: 8 * threads,
      seconds: isQuick ? 1 : 3,
    }
    await load.run(request)
    contenders.push({
      name: String(threads),
      isPinned,
      async trial() {
        const { requests: units, elapsedMs } = await load.run(request)
        return { units, elapsedMs }
      },
      async [Symbol.asyncDispose]() {},
    })
  }
  const [one, ...more] = await runRounds(contenders, { rounds, trialMs: 0 })
  return more.map(({ name, rates }, index) => {
    const threads = Number(name)
    const gain = ratiosOf(rates, one!.rates)
    const perCore = ratiosOf(
      rates.map((rate) => rate / threads),
      one!.rates,
    )
    const pinning = contenders[index + 1]!.isPinned
      ? 'each reader on a core of its own'
      : 'not pinned: there is no taskset'
    return {
      work: `${work}, ${threads} readers, a reader`,
      elkyn: rateText(spreadOf(rates).median / threads, 'operations'),
      other: '1 reader',
      otherFigure: rateText(spreadOf(one!.rates).median, 'operations'),
      ratio: perCore,
      target: { text: String(target), isReached: perCore.median >= target },
      note: `together ${gain.median.toFixed(2)} times as many; ${pinning}, client and other threads anywhere`,
    }
  })
}

/** A conditional GET that reads the whole list to find out that it is the same. */
async function unchangedRead(port: number): Promise<Request> {
  const path = `/${LIST}.json`
  const url = `http://127.0.0.1:${port}${path}`
  const first = await fetch(url, { headers: { 'X-Firebase-ETag': 'true' } })
  const list = (await first.json()) as object
  assert.equal(Object.keys(list).length, records)
  const headers = { 'If-None-Match': first.headers.get('ETag')! }
  const second = await fetch(url, { headers })
  assert.equal(second.status, 304)
  return { path, headers }
}

/** Gives each reader a core, where the system has the program that does it. */
function pinReaders(pid: number, threads: number): boolean {
  if (spawnSync('taskset', ['--version']).error !== undefined) return false
  const tasks = readdirSync(`/proc/${pid}/task`).filter((task) =>
    readFileSync(`/proc/${pid}/task/${task}/comm`, 'utf8').startsWith('elkyn-reader'),
  )
  assert.equal(tasks.length, threads, 'The readers have no name to know them by')
  for (const [core, task] of tasks.entries()) {
    const { status, stderr } = spawnSync('taskset', ['-pc', String(core), task])
    assert.equal(status, 0, stderr.toString())
  }
  return true
}
