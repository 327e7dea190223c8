// `npm test`: everything that must hold before a change lands.
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { addUp, readTestResults, removeTestResults } from './test-results.mjs'
import { installIfNeeded, run } from './workspace.mjs'

const turbo = ['run', '--continue=always', '--log-order=grouped', '--output-logs=new-only']
const checks = ['lint', 'format:check', 'knip', 'typecheck', 'build', 'check:package']
// Tests call these and are skipped without them; `.ci/run` installs them.
const programs = ['cc', 'chromium', 'curl', 'nginx', 'spin', 'strace']

if (installIfNeeded()) runChecks()
else finish(0, 1, 0)

function runChecks() {
  removeTestResults()
  // Part of turbo's key for `test`: results without the tests that a missing program skips are not
  // for a machine that has it.
  process.env['TEST_PROGRAMS'] = programs.filter(isInstalled).join()

  const checked = run('turbo', [...turbo, ...checks])
  // One package at a time: test files already share the cores among them.
  const tested = run('turbo', [...turbo, '--concurrency=1', 'test'])

  const { passed, failed, skipped } = addUp(readTestResults())
  for (const name of skipped) console.log(`SKIPPED  ${name}`)
  if (!checked) console.log(`FAILED  one of ${checks.join(', ')}: see above`)
  // Here too, because a long output is often kept only by its end.
  for (const name of failed) console.log(`FAILED  ${name}`)
  if (!tested && failed.length === 0) console.log('FAILED  test, outside of any test: see above')

  // What failed without being a test counts as one, so that "0 failed" is always the truth.
  const others = (checked ? 0 : 1) + (tested || failed.length > 0 ? 0 : 1)
  finish(passed, failed.length + others, skipped.length)
}

/** @param {string} program */
function isInstalled(program) {
  // Nginx, which knows no such option, lies where the search path of a user does not lead.
  const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` }
  return spawnSync(program, ['--version'], { env }).error === undefined
}

/**
 * Ends with the one line that sums everything up.
 * @param {number} passed
 * @param {number} failed
 * @param {number} skipped
 */
function finish(passed, failed, skipped) {
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
  process.exitCode = failed === 0 ? 0 : 1
}
