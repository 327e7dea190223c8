import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { openTree } from '@elkyn/storage-lmdb'
import { loadTree } from '../engines/elkyn.ts'
import { installPublishedServer } from '../published-server.ts'
import { LIST, recordKey, recordOf } from '../records.ts'
import { runRounds } from '../rounds.ts'
import type { Contender } from '../rounds.ts'
import { ratiosOf, spreadOf } from '../spread.ts'
import type { Row } from '../table.ts'
import { makeTemporaryFolder } from '../temporary-folder.ts'
import { itemBatches } from '../works/work.ts'
import type { GroupOptions } from './group.ts'

/** From the start of the process to the first answer, against a Node that does nothing. */
export async function startGroup(options: GroupOptions): Promise<Row[]> {
  const { isQuick, say } = options
  const work = `start on ${isQuick ? '100 MB' : '1 GB'} of data, to the first answer`
  say(work)
  await using temporary = await makeTemporaryFolder()
  const data = join(temporary.path, 'data')
  await fillFolder(data, isQuick ? 100e6 : 1e9)
  const published = installPublishedServer(temporary.path)
  const sources = fileURLToPath(new URL('../../../server/src/cli.ts', import.meta.url))
  // Each start is a trial of its own.
  const rounds = { ...options, trialMs: 0 }
  const results = await runRounds(
    [
      starting('as published', published, data),
      starting('from sources', sources, data),
      idleNode(),
    ],
    rounds,
  )
  const idle = results.pop()!
  return results.map(({ name, rates }) => {
    const startMs = 1000 / spreadOf(rates).median
    const idleMs = 1000 / spreadOf(idle.rates).median
    return {
      work: `${work} (${name})`,
      elkyn: `${Math.round(startMs)} ms`,
      other: idle.name,
      otherFigure: `${Math.round(idleMs)} ms`,
      ratio: ratiosOf(rates, idle.rates),
      target:
        name === 'as published'
          ? {
              text: 'under 400 ms, or 2 × + 200 ms',
              isReached: startMs < Math.max(400, 2 * idleMs + 200),
            }
          : undefined,
      note: undefined,
    }
  })
}

async function fillFolder(path: string, bytes: number): Promise<void> {
  await using tree = await openTree({ path, durability: 'relaxed' })
  const step = 100_000
  for (let start = 0; tree.stats().fileBytes < bytes; start += step) {
    loadTree(tree, itemBatches(start, start + step))
  }
}

/** Starts the server, asks it for one record and ends it. Only the time to the answer counts. */
function starting(name: string, program: string, data: string): Contender {
  return {
    name,
    async trial() {
      const start = performance.now()
      const args = [program, 'serve', '--port', '0', '--data', data, '--log-level', 'error']
      const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      const [line] = (await once(createInterface(server.stdout), 'line')) as [string]
      const url = line.slice(line.indexOf('http'))
      const response = await fetch(`${url}/${LIST}/${recordKey(77)}.json`)
      const record: unknown = await response.json()
      const elapsedMs = performance.now() - start
      assert.deepEqual(record, recordOf(77))
      server.kill()
      await once(server, 'exit')
      return { units: 1, elapsedMs }
    },
    async [Symbol.asyncDispose]() {},
  }
}

function idleNode(): Contender {
  return {
    name: 'node -e 0',
    async trial() {
      const start = performance.now()
      const idle = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' })
      await once(idle, 'exit')
      return { units: 1, elapsedMs: performance.now() - start }
    },
    async [Symbol.asyncDispose]() {},
  }
}
