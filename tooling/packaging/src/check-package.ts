// The `check:package` script of every published package, run in its folder: what users would get,
// looked at by publint (is the manifest right?) and attw (do its types match its modules?).
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { pack } from './pack.ts'

const temporary = mkdtempSync(join(tmpdir(), 'elkyn-check-package-'))
try {
  const tarball = pack(process.cwd(), temporary)
  const checks = [
    check('publint', ['run', tarball, '--strict']),
    check('attw', [
      tarball,
      '--profile',
      'esm-only',
      '--no-definitely-typed',
      '--no-summary',
      '--no-emoji',
    ]),
  ]
  process.exitCode = checks.every(Boolean) ? 0 : 1
} finally {
  rmSync(temporary, { recursive: true })
}

function check(command: string, args: string[]): boolean {
  // These two are dependencies of this package, not of the one that is checked.
  const bin = join(import.meta.dirname, '..', 'node_modules', '.bin', command)
  return spawnSync(bin, args, { stdio: 'inherit' }).status === 0
}
