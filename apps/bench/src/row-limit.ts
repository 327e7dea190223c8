/**
 * Compares values of `rowMaxBytes` over sizes of records, and writes ROW-LIMIT.md when it was a full
 * run. What it led to stands in decisions/.
 *
 *     pnpm --filter @elkyn/bench bench:row-limit [--quick]
 *
 * Traps avoided: as in main.ts, except that the limits share a process, since they share the code.
 */
import { writeFile } from 'node:fs/promises'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { describeMachine } from './machine.ts'
import { measureGrowth } from './row-limit/growing-lists.ts'
import type { GrowthFigures } from './row-limit/growing-lists.ts'
import { measureLimits } from './row-limit/measure-limits.ts'
import type { CaseFigures } from './row-limit/measure-limits.ts'
import { rowLimitPage } from './row-limit/row-limit-page.ts'
import { sizedRecords } from './row-limit/sized-records.ts'

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const rowLimits = [1000, 1900, 2048, 4000, 8000, 16_000]
const base = 4000
const options = values.quick
  ? { rowLimits, rounds: 3, trialMs: 10, totalBytes: 1_000_000 }
  : { rowLimits, rounds: 9, trialMs: 40, totalBytes: 4_000_000 }
const sizes = values.quick
  ? [100, 3000, 20_000]
  : [100, 300, 1000, 1800, 2500, 3500, 6000, 10_000, 20_000]

// First, since it tells how busy the machine is.
const machine = await describeMachine()
const cases: CaseFigures[] = []
for (const bytes of sizes) {
  for (const shape of ['flat', 'nested'] as const) {
    // Smaller ones have one section.
    if (shape === 'nested' && bytes < 2000) continue
    process.stderr.write(`${bytes} bytes, ${shape}\n`)
    cases.push(await measureLimits(sizedRecords(bytes, shape), options))
  }
}
const growth: GrowthFigures[] = []
for (const children of values.quick ? [30, 100] : [30, 100, 300]) {
  process.stderr.write(`lists of ${children} children\n`)
  growth.push(await measureGrowth(children, { rowLimits, rounds: 3 }))
}
const page = rowLimitPage({ cases, growth, rowLimits, base, machine })
process.stdout.write(page)
if (!values.quick) await writeFile(new URL('../ROW-LIMIT.md', import.meta.url), page)
