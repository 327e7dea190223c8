import type { Rates } from './rounds.ts'
import { ratiosOf, spreadOf } from './spread.ts'
import type { Spread } from './spread.ts'

/** One line of the table: Elkyn, as a rule against something else. */
export interface Row {
  readonly work: string
  readonly elkyn: string
  readonly other: string
  readonly otherFigure: string
  readonly ratio?: Spread | undefined
  readonly target: Target | undefined
  readonly note: string | undefined
}

/** What a row should reach. */
export interface Target {
  readonly text: string
  readonly isReached: boolean
}

/** What a figure counts. */
type Unit = 'operations' | 'bytes'

export interface Comparison {
  readonly work: string
  readonly unit: Unit
  /** What the ratio should be at least. */
  readonly target?: number
}

/** A row for each of the others: the first of the rates is Elkyn's, and the target is for the second. */
export function rowsOf({ work, unit, target }: Comparison, [own, ...others]: Rates[]): Row[] {
  return others.map((other, index) => {
    const ratio = ratiosOf(own!.rates, other.rates)
    return {
      work,
      elkyn: rateText(spreadOf(own!.rates).median, unit),
      other: other.name,
      otherFigure: rateText(spreadOf(other.rates).median, unit),
      ratio,
      target: index === 0 && target !== undefined ? atLeast(target, ratio) : undefined,
      note: other.note,
    }
  })
}

function atLeast(target: number, { median }: Spread): Target {
  return { text: String(target), isReached: median >= target }
}

/** For ratios where less is better. */
export function atMost(target: number, { median }: Spread): Target {
  return { text: `at most ${target}`, isReached: median <= target }
}

export function rateText(rate: number, unit: Unit): string {
  if (unit === 'bytes') return `${digits(rate / 1e6)} MB/s`
  return rate >= 10_000 ? `${digits(rate / 1000)} k/s` : `${digits(rate)}/s`
}

const header = ['work', 'Elkyn', 'against', '', 'ratio', 'least to greatest', 'target', '', 'note']
const alignment = ['---', '--:', '---', '--:', '--:', '---', '--:', '---', '---']

/** The rows as a Markdown table, padded so that it reads well in a terminal too. */
export function markdownTable(rows: readonly Row[]): string {
  const lines = [header, ...rows.map(cellsOf)]
  const widths = header.map((_, column) =>
    Math.max(...lines.map((cells) => cells[column]!.length), 3),
  )
  const [head, ...body] = lines.map((cells) => lineOf(cells, widths))
  const rule = lineOf(
    alignment.map((mark, column) =>
      mark.endsWith(':') ? '-'.repeat(widths[column]! - 1) + ':' : '-'.repeat(widths[column]!),
    ),
    widths,
  )
  return [head, rule, ...body].join('\n')
}

function cellsOf(row: Row): string[] {
  const { ratio } = row
  return [
    row.work,
    row.elkyn,
    row.other,
    row.otherFigure,
    ratio === undefined ? '' : digits(ratio.median),
    ratio === undefined ? '' : `${digits(ratio.least)} to ${digits(ratio.greatest)}`,
    row.target?.text ?? '',
    verdict(row.target),
    row.note ?? '',
  ]
}

function verdict(target: Target | undefined): string {
  if (target === undefined) return ''
  return target.isReached ? 'reached' : '**short**'
}

function lineOf(cells: readonly string[], widths: readonly number[]): string {
  const padded = cells.map((cell, column) =>
    alignment[column]!.endsWith(':')
      ? cell.padStart(widths[column]!)
      : cell.padEnd(widths[column]!),
  )
  return `| ${padded.join(' | ')} |`
}

/** Three digits that matter, or all digits of a large number. */
function digits(figure: number): string {
  return figure >= 100
    ? Math.round(figure).toLocaleString('en')
    : figure.toPrecision(3).replace(/\.?0+$/, '')
}
