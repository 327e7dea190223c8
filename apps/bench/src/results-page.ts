import type { Facts } from './machine.ts'
import { markdownTable } from './table.ts'
import type { Row } from './table.ts'

export interface RunFacts {
  readonly rounds: number
  readonly machine: Facts
}

/** The committed page with the figures of one full run. */
export function resultsPage(rows: readonly Row[], { rounds, machine }: RunFacts): string {
  const short = rows.filter(({ target }) => target?.isReached === false)
  return `# Figures

Written by \`pnpm bench\`; [README.md](README.md) says how it measures. Ratios travel, absolute figures belong to the machine below.

${machine.map(([name, value]) => `- ${name}: ${value}`).join('\n')}

A ratio is that of Elkyn to the other in the same round, more is better; the median of ${rounds} rounds is shown with the least and the greatest. Targets are for what lies beneath Elkyn; the other databases stand there for the reader.

${markdownTable(rows)}

${short.length === 0 ? 'All targets are reached.' : `Short of the target: ${short.map(({ work }) => work).join('; ')}.`}
`
}
