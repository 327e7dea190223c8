import type { Sample } from './samples.ts'
import type { SoakResult } from './soak.ts'

// Beyond this a difference between two thirds of the time is growth.
const most = 1.2

/** Compares the last third of the samples of what nothing disturbed with the one before. */
export function judgeFlatness({ samples, findings }: SoakResult): void {
  const steady = samples.filter(({ part }) => part === 'steady')
  const third = Math.floor(steady.length / 3)
  const middle = steady.slice(third, 2 * third)
  const last = steady.slice(-third)
  if (third === 0) return
  const compare = (what: string, of: (sample: Sample) => number): void => {
    const [before, after] = [median(middle.map(of)), median(last.map(of))]
    if (after > before * most) findings.fail(`${what} has grown from ${before} to ${after} bytes`)
  }
  compare('The data file', (sample) => sample.fileBytes)
  compare('The memory', (sample) => sample.residentBytes ?? 0)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}
