// `pnpm soak -- --minutes 60 --seed 7`: see README.md beside this.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { judgeFlatness } from './flatness.ts'
import { longSoak } from './plans.ts'
import { sampleLine, soakPage } from './soak-page.ts'
import { soak } from './soak.ts'

// `pnpm run` and turbo hand the dashes on that stand before the options.
const args = process.argv.slice(2).filter((argument) => argument !== '--')
const { values } = parseArgs({
  args,
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    record: { type: 'boolean', default: false },
  },
})
const minutes = Number(values.minutes)
const seed = Number(values.seed)
if (!(minutes > 0) || !Number.isInteger(seed)) {
  throw new RangeError('--minutes has to be a positive number, --seed an integer')
}

// The servers go with this process, and the folder stays.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

const folder = await mkdtemp(join(tmpdir(), 'elkyn-soak-'))
console.log(`seed ${seed}`)
try {
  const result = await soak({
    ...longSoak(folder, seed, minutes),
    onSample: (sample) => console.log(sampleLine(sample)),
  })
  judgeFlatness(result)
  const page = soakPage(result, { seed, minutes })
  console.log(page)
  const { failures } = result.findings
  for (const failure of failures) console.error(`FAILED: ${failure}`)
  process.exitCode = failures.length === 0 ? 0 : 1
  if (values.record) await writeFile(new URL('RESULTS.md', import.meta.url), page)
} finally {
  await rm(folder, { recursive: true })
}
