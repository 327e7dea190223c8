/**
 * All benchmarks in one run: prints the table, and writes RESULTS.md when it was a full one.
 *
 *     pnpm bench [--quick] [--only storage,size,http,start] [--rounds 9]
 *
 * Traps avoided: answers are checked before and after each trial; contenders run in turn, each in a
 * process and a folder of its own; garbage is collected before a trial; inputs are made outside of
 * the timed part, and what is read is counted. Everything is hot: in the page cache, after a warm-up.
 */
import { writeFile } from 'node:fs/promises'
import process from 'node:process'
import { parseArgs } from 'node:util'
import type { Group } from './groups/group.ts'
import { httpGroup } from './groups/http.ts'
import { sizeGroup } from './groups/size.ts'
import { startGroup } from './groups/start.ts'
import { storageGroup } from './groups/storage.ts'
import { describeMachine } from './machine.ts'
import { resultsPage } from './results-page.ts'
import { markdownTable } from './table.ts'
import type { Row } from './table.ts'

const groups: Readonly<Record<string, Group>> = {
  storage: storageGroup,
  size: sizeGroup,
  http: httpGroup,
  start: startGroup,
}

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
  },
})
const names = values.only?.split(',') ?? Object.keys(groups)
for (const name of names) {
  if (!(name in groups)) {
    throw new RangeError(`No group "${name}": there are ${Object.keys(groups).join(', ')}`)
  }
}
const isQuick = values.quick
const rounds = Number(values.rounds ?? (isQuick ? 3 : 9))
const say = (text: string): void => {
  process.stderr.write(`${text}\n`)
}

// First, since it tells how busy the machine is.
const machine = await describeMachine()
const rows: Row[] = []
for (const name of names) {
  rows.push(...(await groups[name]!({ isQuick, rounds, trialMs: isQuick ? 100 : 400, say })))
}
process.stdout.write(`${markdownTable(rows)}\n`)
if (!isQuick && values.only === undefined) {
  const page = new URL('../RESULTS.md', import.meta.url)
  await writeFile(page, resultsPage(rows, { rounds, machine }))
  say(`Written to RESULTS.md`)
}
