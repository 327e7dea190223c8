import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const script = fileURLToPath(new URL('../model/check.sh', import.meta.url))
const isThere = (program: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${program}`]).status === 0

// Where SPIN or a C compiler is missing, `npm test` lists this as skipped.
test.skipIf(!isThere('spin') || !isThere('cc'))(
  'SPIN verifies the model, and finds what goes wrong without each of its rules',
  async () => {
    const { stdout } = await promisify(execFile)('bash', [script, 'quick'])
    expect(stdout.trimEnd()).not.toMatch(/^(?!holds|fails)/m)
  },
  600_000,
)
