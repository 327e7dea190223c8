import { availableParallelism, cpus } from 'node:os'
import process from 'node:process'
import type { Sample } from './samples.ts'
import type { Absence } from './soak-server.ts'
import type { SoakResult } from './soak.ts'

// Rows of the table of samples in a page.
const sampleRows = 30

/** One sample as a line of text. */
export function sampleLine({ part, ms, operations, ...sizes }: Sample): string {
  const { fileBytes, residentBytes, descriptors } = sizes
  return (
    `${(ms / 1000).toFixed(0).padStart(6)} s  ${part.padEnd(10)} ${String(operations).padStart(8)} operations` +
    `  file ${mib(fileBytes)}  memory ${mib(residentBytes)} MiB  ${descriptors ?? '–'} descriptors`
  )
}

/** The result as a page of Markdown. */
export function soakPage(
  { findings, parts, samples }: SoakResult,
  { seed, minutes }: { readonly seed: number; readonly minutes: number },
): string {
  const { failures, counts } = findings
  return `# The last soak

${new Date().toISOString().slice(0, 10)}, ${minutes} minutes, seed ${seed}; Node.js ${process.version}, ${availableParallelism()} cores, ${cpus()[0]?.model.trim() ?? ''}.
${failures.length === 0 ? 'Nothing failed: the tree was that of the models, byte for byte, after each part and after a last start.' : `**${failures.length} failures**, listed below.`}

${table(
  ['part', 'seconds', 'operations of clients', 'starts of the server', 'absences'],
  parts.map(({ name, ms, operations, starts, absences }) => [
    name,
    (ms / 1000).toFixed(0),
    String(operations),
    String(starts),
    absenceText(absences),
  ]),
)}

## Counted

${table(
  ['what', 'how often'],
  [...counts.keys()].toSorted().map((what) => [what, String(counts.get(what))]),
)}

## Sizes

${table(
  ['seconds', 'part', 'operations', 'data file, MiB', 'memory, MiB', 'descriptors'],
  thinned(samples).map(({ ms, part, operations, fileBytes, residentBytes, descriptors }) => [
    (ms / 1000).toFixed(0),
    part,
    String(operations),
    mib(fileBytes),
    mib(residentBytes),
    String(descriptors ?? '–'),
  ]),
)}
${failures.length === 0 ? '' : `\n## Failures\n\n${failures.map((failure) => `- ${failure}`).join('\n')}\n`}`
}

/** How many there were and how long, with the pauses of the supervisor in them. */
function absenceText(absences: readonly Absence[]): string {
  const lengths = absences.map(({ ms }) => ms).toSorted((a, b) => a - b)
  const [least, median, longest] = [lengths[0], lengths[lengths.length >> 1], lengths.at(-1)]
  if (least === undefined) return ''
  const paused = absences.filter(({ pauseMs }) => pauseMs > 0).length
  return `${lengths.length}: ${least} to ${longest} ms, median ${median} ms; ${paused} with a pause`
}

function thinned(samples: readonly Sample[]): readonly Sample[] {
  const step = Math.ceil(samples.length / sampleRows)
  return samples.filter((_, index) => index % step === 0 || index === samples.length - 1)
}

function mib(bytes: number | undefined): string {
  return bytes === undefined ? '–' : (bytes / 2 ** 20).toFixed(0)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}
