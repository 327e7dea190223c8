// What becomes of tasks while a thousand threads are killed at random:
//
//   node bench/kills.ts [kills]            prints the page
//   node bench/kills.ts [kills] --write    writes bench/kills.md
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { runWithKills } from '../test/kill-run.ts'
import type { KillOutcome } from '../test/kill-run.ts'

const kills = Number(process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? 1000)
const seed = Date.now() & 0xffffff

function row(title: string, outcome: KillOutcome): string {
  const { tasks, killed, fulfilled, lost, wrong, pending, mostOften } = outcome
  const settled = `${((100 * (fulfilled + lost)) / tasks).toFixed(2)} %`
  const counts = [killed, tasks, fulfilled, lost, wrong.length + pending]
  const numbers = counts.map((count) => count.toLocaleString('en')).join(' | ')
  return `| ${title} | ${numbers} | ${settled} | ${mostOften} |`
}

const once = await runWithKills({ kills, retry: 0, seed })
const again = await runWithKills({ kills, retry: 1000, seed })
const page = `# Tasks while threads are killed

64 tasks in flight in three threads, of which one is terminated at random every few hundred tasks. Each handler counts its
calls in shared memory, so that a task that ran twice is seen, whatever was answered.

| tasks | threads killed | tasks run | fulfilled | rejected with \`ERR_WORKER_EXITED\` | anything else | settled | most calls of one task |
| --- | --: | --: | --: | --: | --: | --: | --: |
${row('`retry: 0`', once)}
${row('`retry: 1000`', again)}

Node.js ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}, seed ${seed}. \`node bench/kills.ts --write\` writes this page; \`test/kills.test.ts\` does the
same with 20 kills.
`
if (process.argv.includes('--write')) writeFileSync(new URL('kills.md', import.meta.url), page)
else process.stdout.write(page)
const isRight = [once, again].every(({ wrong, pending }) => wrong.length + pending === 0)
process.exitCode = isRight && once.mostOften === 1 && again.lost === 0 ? 0 : 1
