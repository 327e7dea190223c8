/**
 * All benchmarks, or some: prints their tables, and writes them into RESULTS.md unless it was a quick run.
 *
 *     pnpm bench [--quick] [--only storage,size,http,start,query,pool,pool/get,streams] [--rounds 9] [--minutes 10]
 *
 * Traps avoided: answers are checked before and after each trial; contenders run in turn, each in a
 * process and a folder of its own; garbage is collected before a trial; inputs are made outside of
 * the timed part, and what is read is counted. Everything is hot: in the page cache, after a warm-up.
 */
import { readFile, writeFile } from 'node:fs/promises'
import process from 'node:process'
import { parseArgs } from 'node:util'
import type { Group } from './groups/group.ts'
import { httpGroup } from './groups/http.ts'
import { poolFileGroup } from './groups/pool/file.ts'
import { poolGetGroup } from './groups/pool/get.ts'
import { poolHeapGroup } from './groups/pool/heap.ts'
import { poolLargeBodyGroup } from './groups/pool/large-body.ts'
import { poolLargeReadsGroup } from './groups/pool/large-reads.ts'
import { poolMemoryGroup } from './groups/pool/memory.ts'
import { poolPutGroup } from './groups/pool/put.ts'
import { poolReadersGroup } from './groups/pool/readers.ts'
import { queryGroup } from './groups/query.ts'
import { sizeGroup } from './groups/size.ts'
import { startGroup } from './groups/start.ts'
import { storageGroup } from './groups/storage.ts'
import { streamsFanOutGroup } from './groups/streams/fan-out.ts'
import { streamsLatencyGroup } from './groups/streams/latency.ts'
import { streamsMemoryGroup } from './groups/streams/memory.ts'
import { streamsPathsGroup } from './groups/streams/paths.ts'
import { streamsResumeGroup } from './groups/streams/resume.ts'
import { describeMachine } from './machine.ts'
import { withSection } from './results-page.ts'
import { markdownTable } from './table.ts'

const groups: Readonly<Record<string, Group>> = {
  storage: storageGroup,
  size: sizeGroup,
  http: httpGroup,
  start: startGroup,
  'pool/get': poolGetGroup,
  'pool/put': poolPutGroup,
  'pool/large-reads': poolLargeReadsGroup,
  'pool/readers': poolReadersGroup,
  'pool/memory': poolMemoryGroup,
  'pool/large-body': poolLargeBodyGroup,
  'pool/heap': poolHeapGroup,
  'pool/file': poolFileGroup,
  query: queryGroup,
  'streams/fan-out': streamsFanOutGroup,
  'streams/latency': streamsLatencyGroup,
  'streams/memory': streamsMemoryGroup,
  'streams/paths': streamsPathsGroup,
  'streams/resume': streamsResumeGroup,
}

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    minutes: { type: 'string' },
  },
})
const isQuick = values.quick
const rounds = Number(values.rounds ?? (isQuick ? 3 : 9))
const minutes = Number(values.minutes ?? (isQuick ? 0.5 : 10))
const say = (text: string): void => {
  process.stderr.write(`${text}\n`)
}
const page = new URL('../RESULTS.md', import.meta.url)

for (const name of wantedGroups()) {
  // First, since it tells how busy the machine is.
  const machine = await describeMachine()
  const options = { isQuick, rounds, minutes, trialMs: isQuick ? 100 : 400, say }
  const rows = await groups[name]!(options)
  process.stdout.write(`${markdownTable(rows)}\n`)
  if (isQuick) continue
  await writeFile(page, withSection(await readFile(page, 'utf8'), name, rows, { rounds, machine }))
  say(`Written to RESULTS.md`)
}

/** `pool` means all groups whose names begin with `pool/`. */
function wantedGroups(): string[] {
  const names = Object.keys(groups)
  if (values.only === undefined) return names
  return values.only.split(',').flatMap((wanted) => {
    const found = names.filter((name) => name === wanted || name.startsWith(`${wanted}/`))
    if (found.length > 0) return found
    throw new RangeError(`No group "${wanted}": there are ${names.join(', ')}`)
  })
}
