import { expect, test } from 'vitest'
import { addUp } from '../test-results.mjs'

function report(...files: { status: string; tests: string[] }[]) {
  return {
    testResults: files.map(({ status, tests }) => ({
      status,
      assertionResults: tests.map((outcome, index) => ({
        status: outcome,
        fullName: `test ${String(index)}`,
      })),
    })),
  }
}

test('addUp() counts passed and failed tests over all packages', () => {
  const reports = new Map([
    ['a', report({ status: 'passed', tests: ['passed', 'passed'] })],
    ['b', report({ status: 'failed', tests: ['failed', 'passed', 'failed'] })],
  ])
  expect(addUp(reports)).toEqual({ passed: 3, failed: 2, skipped: [] })
})

test('addUp() names what was skipped, whatever the reason', () => {
  const reports = new Map([
    ['a', report({ status: 'passed', tests: ['skipped', 'todo', 'passed'] })],
  ])
  expect(addUp(reports)).toEqual({ passed: 1, failed: 0, skipped: ['a: test 0', 'a: test 1'] })
})

test('addUp() counts a file that did not load and a report that is missing as failures', () => {
  const reports = new Map([
    ['a', report({ status: 'failed', tests: [] })],
    ['b', undefined],
  ])
  expect(addUp(reports)).toEqual({ passed: 0, failed: 2, skipped: [] })
})
