// Adds up the reports that vitest leaves in each package's `test-results/`, an output of turbo's
// `test` task: a cached package's report is put back, and counts.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './workspace.mjs'

const groups = ['packages', 'apps', 'tooling']

/**
 * The part of vitest's JSON report that is looked at.
 * @typedef {object} Report
 * @property {{ status: string, assertionResults: { fullName: string, status: string }[] }[]} testResults
 */

/**
 * @typedef {object} Totals
 * @property {number} passed
 * @property {number} failed tests that failed, files that did not load, and reports that are missing
 * @property {string[]} skipped the tests that did not run, by package and title
 */

/** Removes the reports of an earlier run, so that none of them is counted for this one. */
export function removeTestResults() {
  for (const { directory } of testedPackages()) {
    rmSync(join(directory, 'test-results'), { recursive: true, force: true })
  }
}

/**
 * The report of each package that has tests; undefined where there is none.
 * @returns {Map<string, Report | undefined>}
 */
export function readTestResults() {
  return new Map(
    testedPackages().map(({ name, directory }) => {
      const file = join(directory, 'test-results', 'vitest.json')
      return [name, existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined]
    }),
  )
}

/**
 * @param {ReadonlyMap<string, Report | undefined>} reports
 * @returns {Totals}
 */
export function addUp(reports) {
  /** @type {Totals} */
  const totals = { passed: 0, failed: 0, skipped: [] }
  for (const [name, report] of reports) {
    if (report === undefined) totals.failed++
    else addReport(totals, name, report)
  }
  return totals
}

/**
 * @param {Totals} totals
 * @param {string} packageName
 * @param {Report} report
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
