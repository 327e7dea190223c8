import { basename } from 'node:path'
import { BaseSequencer } from 'vitest/node'
import type { TestSpecification } from 'vitest/node'

// Files that take long for their size: vitest knows how long each takes only where they have run before, and begins
// with the largest ones elsewhere. One that begins last keeps one core busy and leaves the others idle.
const long = [
  'kill.test.ts',
  'thread-pool-http-server-lmdb.conformance.test.ts',
  'sealed.conformance.test.ts',
  'conformance.test.ts',
  'cuts.test.ts',
  'cuts-programs.test.ts',
  'interleavings.test.ts',
  'model.test.ts',
  'soak.test.ts',
  'simple-http-server-lmdb.conformance.test.ts',
  'tls-http1.conformance.test.ts',
  'tls-http2.conformance.test.ts',
]

/** Runs the files that take longest first. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- it is vitest's method of that name
    const sorted = await super.sort(files)
    const [first, rest] = [sorted.filter(isLong), sorted.filter((file) => !isLong(file))]
    return [...first.toSorted((a, b) => placeOf(a) - placeOf(b)), ...rest]
  }
}

function placeOf({ moduleId }: TestSpecification): number {
  return long.indexOf(basename(moduleId))
}

function isLong(file: TestSpecification): boolean {
  return placeOf(file) !== -1
}
