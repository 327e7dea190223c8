// Puts this pool and its peers through the scenarios of test/settle-suite.ts and writes what happened as a page:
//
//   node bench/comparison.ts            prints it
//   node bench/comparison.ts --write    writes bench/comparison.md
//
// Each scenario runs in a process of its own, so that what one pool leaves behind harms no other.
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { play, scenarios } from '../test/settle-suite.ts'
import type { Ending, Verdict } from '../test/settle-suite.ts'
import { elkyn, jestWorker, piscina, poolifier, tinypool, workerpoolPeer } from './peers.ts'

const peers = [elkyn, piscina, tinypool, poolifier, workerpoolPeer, jestWorker]
// What is pending so long after the last scenario's longest task has had its chance.
const neverMs = 30_000

const [first, second] = process.argv.slice(2)
if (first === '--play') await playOne(second ?? '')
else await report(first === '--write')

async function playOne(which: string): Promise<void> {
  const [peerIndex, scenarioIndex] = which.split(',').map(Number)
  const peer = peers[peerIndex ?? -1]
  const scenario = scenarios[scenarioIndex ?? -1]
  if (peer === undefined || scenario === undefined) throw new RangeError(`No such pair: ${which}`)
  // What a pool throws where nobody can catch it is part of the picture, not its end.
  process.on('uncaughtException', () => {})
  process.on('unhandledRejection', () => {})
  const { memoryMb } = scenario
  const pool = peer.open({ threads: 2, ...(memoryMb === undefined ? {} : { memoryMb }) })
  const verdict = await play(scenario, pool, () => sleep(neverMs))
  // After the line has left: some pools would keep the process alive for ever.
  process.stdout.write(`${JSON.stringify(verdict)}\n`, () => process.exit())
}

async function report(isToBeWritten: boolean): Promise<void> {
  const rows: string[] = []
  for (const [scenarioIndex, scenario] of scenarios.entries()) {
    // All at once: most of the time they wait for what never comes.
    const verdicts = await Promise.all(peers.map((_, peerIndex) => spawn(peerIndex, scenarioIndex)))
    rows.push(`| ${scenario.title} | ${verdicts.map(cell).join(' | ')} |`)
    process.stderr.write(`${rows.at(-1)}\n`)
  }
  const page = `${head()}\n${rows.join('\n')}\n\n${foot()}`
  if (isToBeWritten) writeFileSync(new URL('comparison.md', import.meta.url), page)
  else process.stdout.write(page)
}

async function spawn(peerIndex: number, scenarioIndex: number): Promise<Verdict | undefined> {
  const parameters = [fileURLToPath(import.meta.url), '--play', `${peerIndex},${scenarioIndex}`]
  // However it ends, what it has said counts.
  const stdout = await new Promise<string>((resolve) => {
    const limits = { timeout: 4 * neverMs, killSignal: 'SIGKILL' } as const
    execFile(process.execPath, parameters, limits, (_, output) => resolve(output))
  })
  const line = stdout.split('\n').findLast((text) => text.startsWith('{"endings"'))
  return line === undefined ? undefined : (JSON.parse(line) as Verdict)
}

function cell(verdict: Verdict | undefined): string {
  if (verdict === undefined) return '**process gone**'
  const { endings, wanted } = verdict
  const wrong = endings.map((ending, index) => (ending === wanted[index] ? 'right' : ending))
  const count = (ending: Ending): number => wrong.filter((each) => each === ending).length
  const faults = [
    [count('never'), 'never'],
    [count('rejected'), 'lost'],
    [count('fulfilled'), 'fulfilled'],
    [count('answered with the result of another'), 'answered with the result of another'],
  ]
    .filter(([number]) => number !== 0)
    .map(([number, what]) => `${number} ${what}`)
  return faults.length === 0 ? 'yes' : `**${faults.join(', ')}** of ${endings.length}`
}

function head(): string {
  const names = peers.map((peer) => `${peer.name} ${peer.version}`.replace(' this commit', ''))
  const calls = peers.map((peer) => `\`${peer.closeCall}\``)
  return `# Does every promise settle?

Two threads each, one task a thread at a time. "yes": each promise ended as it should, the bad task rejected and all others
fulfilled with their own results. "never": still pending ${neverMs / 1000} seconds later. "lost": rejected without a fault of its own.
"process gone": the process ended before the promises did.

| scenario | ${names.join(' | ')} |
| --- | ${peers.map(() => '---').join(' | ')} |
| closed by | ${calls.join(' | ')} |`
}

function foot(): string {
  return `Node.js ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}. The scenarios are in
[\`test/settle-suite.ts\`](../test/settle-suite.ts); \`node bench/comparison.ts --write\` writes this page.
jest-worker retries a task that has killed its thread, which the suite does not count against it. What a pool cannot limit
(memory, tasks a thread) is left at its default.
`
}
