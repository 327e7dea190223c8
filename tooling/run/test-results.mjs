// Adds up the reports that vitest leaves in each package's `test-results/`, an output of turbo's
// `test` task: a cached package's report is put back, and counts.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { root } from './workspace.mjs'

const groups = ['packages', 'apps', 'tooling']

/**
 * The part of vitest's JSON report that is looked at.
 * @typedef {object} Report
 * @property {FileReport[]} testResults
 */

/**
 * @typedef {object} FileReport
 * @property {string} name its path
 * @property {string} status
 * @property {string} message why it did not load
 * @property {{ fullName: string, status: string, failureMessages: string[] }[]} assertionResults
 */

/**
 * @typedef {object} Totals
 * @property {number} passed
 * @property {string[]} failed tests that failed, files that did not load and reports that are missing, by package,
 *   each with the first line of why
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
  const totals = { passed: 0, failed: [], skipped: [] }
  for (const [name, report] of reports) {
    if (report === undefined) totals.failed.push(`${name}: no report of its tests`)
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
  for (const { name, status: fileStatus, message, assertionResults } of report.testResults) {
    let failed = 0
    for (const { status, fullName, failureMessages } of assertionResults) {
      if (status === 'passed') totals.passed++
      else if (status !== 'failed') totals.skipped.push(`${packageName}: ${fullName}`)
      else {
        failed++
        totals.failed.push(failure(packageName, fullName, failureMessages[0]))
      }
    }
    // A file that throws while it loads fails without a test.
    if (fileStatus === 'failed' && failed === 0) {
      totals.failed.push(failure(packageName, basename(name), message))
    }
  }
}

/**
 * @param {string} packageName
 * @param {string} title
 * @param {string | undefined} reason
 */
function failure(packageName, title, reason = '') {
  return `${packageName}: ${title}: ${reason.split('\n', 1)[0]}`
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
