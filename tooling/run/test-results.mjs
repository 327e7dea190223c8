// Adds up the reports that vitest leaves in each package's `test-results/`, an output of turbo's
// `test` task: a cached package's report is put back, and counts.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './workspace.mjs'

const groups = ['packages', 'apps', 'tooling']

/**
 * @typedef {object} Totals
 * @property {number} passed
 * @property {number} failed tests that failed, files that did not load, and reports that are missing
 * @property {string[]} skipped the names of tests that did not run
 */

/** Removes the reports of an earlier run, so that none of them is counted for this one. */
export function removeTestResults() {
  for (const { directory } of testedPackages()) {
    rmSync(join(directory, 'test-results'), { recursive: true, force: true })
  }
}

/** @returns {Totals} */
export function addUpTestResults() {
  /** @type {Totals} */
  const totals = { passed: 0, failed: 0, skipped: [] }
  for (const { name, directory } of testedPackages()) {
    const report = join(directory, 'test-results', 'vitest.json')
    if (existsSync(report)) addReport(totals, name, JSON.parse(readFileSync(report, 'utf8')))
    else totals.failed++
  }
  return totals
}

/**
 * @typedef {{ fullName: string, status: string }} Assertion
 * @param {Totals} totals
 * @param {string} packageName
 * @param {{ testResults: { status: string, assertionResults: Assertion[] }[] }} report
 */
function addReport(totals, packageName, report) {
  for (const file of report.testResults) {
    const failed = file.assertionResults.filter(({ status }) => status === 'failed').length
    // A file that throws while it loads fails without a test.
    totals.failed += file.status === 'failed' ? Math.max(failed, 1) : failed
    for (const { status, fullName } of file.assertionResults) {
      if (status === 'passed') totals.passed++
      else if (status !== 'failed') totals.skipped.push(`${packageName}: ${fullName}`)
    }
  }
}

function testedPackages() {
  return groups
    .flatMap((group) => readdirSync(join(root, group)).map((name) => join(root, group, name)))
    .filter((directory) => existsSync(join(directory, 'package.json')))
    .map((directory) => ({
      directory,
      manifest: JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')),
    }))
    .filter(({ manifest }) => manifest.scripts?.test !== undefined)
    .map(({ directory, manifest }) => ({ directory, name: String(manifest.name) }))
}
