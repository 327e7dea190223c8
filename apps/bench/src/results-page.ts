import type { Facts } from './machine.ts'
import { markdownTable } from './table.ts'
import type { Row } from './table.ts'

export interface RunFacts {
  readonly rounds: number
  readonly machine: Facts
}

const introduction = `# Figures

Written by \`pnpm bench\`, a section for each group of rows; [README.md](README.md) says how it measures. Ratios travel, absolute figures belong to the machine and the day that stand above them.

A ratio is that of Elkyn to the other in the same round, more is better unless the target says "at most"; the median of the rounds is shown with the least and the greatest. Targets are for what lies beneath Elkyn; the other databases stand there for the reader.
`

/** The committed page with new figures for one group; other groups keep theirs. */
export function withSection(
  page: string,
  group: string,
  rows: readonly Row[],
  run: RunFacts,
): string {
  const [, ...sections] = page.split(/^(?=## )/m)
  const section = sectionOf(group, rows, run)
  const index = sections.findIndex((other) => other.startsWith(`## ${group}\n`))
  if (index === -1) sections.push(section)
  else sections[index] = section
  return [introduction, ...sections.map((text) => text.trimEnd() + '\n')].join('\n')
}

function sectionOf(group: string, rows: readonly Row[], { rounds, machine }: RunFacts): string {
  const facts = machine.map(([name, value]) => `${name}: ${value}`)
  return `## ${group}

${[...facts, `rounds: ${rounds}`].join('; ')}.

${markdownTable(rows)}

${verdictOf(rows)}
`
}

function verdictOf(rows: readonly Row[]): string {
  const withTarget = rows.filter(({ target }) => target !== undefined)
  if (withTarget.length === 0) return 'No row has a target.'
  const short = withTarget.filter(({ target }) => target?.isReached === false)
  if (short.length === 0) return 'All targets are reached.'
  return `Short of the target: ${short.map(({ work }) => work).join('; ')}.`
}
