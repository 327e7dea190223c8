import type { Facts } from '../machine.ts'
import type { GrowthFigures } from './growing-lists.ts'
import { operations } from './limited-tree.ts'
import type { Operation } from './limited-tree.ts'
import type { CaseFigures, LimitFigures } from './measure-limits.ts'

/** Shares of the operations in a mix; a scan counts by itself, in bytes. */
type Mix = Partial<Record<Operation, number>>

const mixes: Readonly<Record<string, Mix>> = {
  'reads of records': { 'read a record': 1 },
  'reads, a tenth of them of leaves, and 5 % updates': {
    'read a record': 0.855,
    'read a leaf': 0.095,
    'update a leaf': 0.05,
  },
  'half reads, 40 % updates, 10 % inserts': {
    'read a record': 0.5,
    'update a leaf': 0.4,
    insert: 0.1,
  },
  'updates of leaves': { 'update a leaf': 1 },
  inserts: { insert: 1 },
  scans: { scan: 1 },
}

export interface RowLimitFigures {
  readonly cases: readonly CaseFigures[]
  readonly growth: readonly GrowthFigures[]
  readonly rowLimits: readonly number[]
  /** The limit that the others are compared with. */
  readonly base: number
  readonly machine: Facts
}

/** The committed page with the figures of one run. */
export function rowLimitPage(figures: RowLimitFigures): string {
  const { cases, growth, rowLimits, base, machine } = figures
  const head = ['', ...rowLimits.map(String)]
  return `# Row limits compared

Written by \`pnpm --filter @elkyn/bench bench:row-limit\`. Columns are values of \`rowMaxBytes\`; every figure of a case was taken in turn with those beside it, and is the fastest of several short rounds. Writes are durable, 64 a commit. Flat records are fields of 50 bytes, nested ones have sections of ten such fields.

${machine.map(([name, value]) => `- ${name}: ${value}`).join('\n')}

## Mixes

Speed against a limit of ${base}: the geometric mean over all cases, with the least and the greatest.

${table(
  head,
  Object.entries(mixes).map(([name, mix]) => mixRow(name, mix, cases, base)),
)}

## Lists that grow child by child

Children of 30 bytes added to 64 lists, one to each a commit, until each list has so many; thousands a second.

${table(
  head,
  growth.map(({ children, rates }) =>
    cells(`${children.toLocaleString('en')} children`, rates, (rate) => precise(rate / 1e3)),
  ),
)}

## Disk

Bytes in use for each byte of JSON.

${table(
  head,
  cases.map((each) =>
    cells(caseName(each), each.limits, ({ diskPerByte }) => diskPerByte.toFixed(2)),
  ),
)}

${operations.map((operation) => operationSection(cases, operation, head)).join('\n')}`
}

function operationSection(
  cases: readonly CaseFigures[],
  operation: Operation,
  head: readonly string[],
): string {
  const [title, divisor] =
    operation === 'scan' ? ['Scan, MB/s', 1e6] : [`${capital(operation)}, thousands a second`, 1e3]
  return `## ${title}

${table(
  head,
  cases.map((figures) =>
    cells(caseName(figures), figures.limits, ({ rates }) => precise(rates[operation] / divisor)),
  ),
)}
`
}

function timeOf(mix: Mix, { rates }: LimitFigures): number {
  return operations.reduce((sum, operation) => sum + (mix[operation] ?? 0) / rates[operation], 0)
}

function mixRow(name: string, mix: Mix, cases: readonly CaseFigures[], base: number): string[] {
  const row = [name]
  for (let column = 0; column < cases[0]!.limits.length; column++) {
    const relative = cases.map(({ limits }) => {
      const baseLimit = limits.find(({ rowMaxBytes }) => rowMaxBytes === base)!
      return timeOf(mix, baseLimit) / timeOf(mix, limits[column]!)
    })
    row.push(meanText(relative))
  }
  return row
}

/** Geometric mean, least and greatest. */
function meanText(relative: readonly number[]): string {
  const mean = Math.exp(relative.reduce((sum, each) => sum + Math.log(each), 0) / relative.length)
  const [least, greatest] = [Math.min(...relative), Math.max(...relative)]
  return `${mean.toFixed(2)} (${least.toFixed(2)} to ${greatest.toFixed(2)})`
}

function caseName({ records }: CaseFigures): string {
  return `${records.bytes.toLocaleString('en')} B ${records.shape}`
}

/** A row of the table: its name, then a cell for each limit. */
function cells<Figure>(
  name: string,
  figures: readonly Figure[],
  textOf: (figure: Figure) => string,
): string[] {
  return [name, ...figures.map(textOf)]
}

function precise(figure: number): string {
  return figure >= 100 ? figure.toFixed(0) : figure.toPrecision(3)
}

function capital(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, column) => (column === 0 ? '---' : '--:'))
  return [head, rule, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}
