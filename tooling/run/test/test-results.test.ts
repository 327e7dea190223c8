import { expect, test } from 'vitest'
import { addUp } from '../test-results.mjs'

function report(...files: { status: string; tests: string[] }[]) {
  return {
    testResults: files.map(({ status, tests }) => ({
      name: '/somewhere/some.test.ts',
      status,
      message: tests.length === 0 ? 'SyntaxError: no such export\n  at some.ts' : '',
      assertionResults: tests.map((outcome, index) => ({
        status: outcome,
        fullName: `test ${String(index)}`,
        failureMessages: outcome === 'failed' ? ['AssertionError: expected 1\n  at some.ts:1'] : [],
      })),
    })),
  }
}

test('addUp() counts passed tests over all packages, and names the failed ones with their reasons', () => {
  const reports = new Map([
    ['a', report({ status: 'passed', tests: ['passed', 'passed'] })],
    ['b', report({ status: 'failed', tests: ['failed', 'passed', 'failed'] })],
  ])
  expect(addUp(reports)).toEqual({
    passed: 3,
    failed: ['b: test 0: AssertionError: expected 1', 'b: test 2: AssertionError: expected 1'],
    skipped: [],
  })
})

test('addUp() names what was skipped, whatever the reason', () => {
  const reports = new Map([
    ['a', report({ status: 'passed', tests: ['skipped', 'todo', 'passed'] })],
  ])
  expect(addUp(reports)).toEqual({ passed: 1, failed: [], skipped: ['a: test 0', 'a: test 1'] })
})

test('addUp() counts a file that did not load and a report that is missing as failures', () => {
  const reports = new Map([
    ['a', report({ status: 'failed', tests: [] })],
    ['b', undefined],
  ])
  expect(addUp(reports)).toEqual({
    passed: 0,
    failed: ['a: some.test.ts: SyntaxError: no such export', 'b: no report of its tests'],
    skipped: [],
  })
})
