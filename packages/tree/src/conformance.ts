import { describeServerValues } from './conformance/computing.ts'
import type { Suite, TestApi } from './conformance/fixture.ts'
import { describeFollowing } from './conformance/following.ts'
import { describeJudging } from './conformance/judging.ts'
import { describeLife } from './conformance/life.ts'
import { describeNesting } from './conformance/nesting.ts'
import { describePriorities } from './conformance/priorities.ts'
import { describeQuerying } from './conformance/querying.ts'
import { describeReading } from './conformance/reading.ts'
import { describeRepeating } from './conformance/repeating.ts'
import { describeStaging } from './conformance/staging.ts'
import { describeWriting } from './conformance/writing.ts'
import type { TreeStore } from './store.ts'

export { runModel } from './conformance/model.ts'
export type { ModelOptions } from './conformance/model.ts'
export type { Expectation, TestApi } from './conformance/fixture.ts'

/**
 * Defines tests that every {@link TreeStore} has to pass, one for each sentence of the contract.
 *
 * @param name What the tests stand under.
 * @param open Opens an empty store for one test, which closes it.
 * @param api The functions of the test runner; those of Vitest and Jest fit.
 */
export function describeTreeStore(
  name: string,
  open: () => Promise<TreeStore>,
  api: TestApi,
): void {
  const suite: Suite = {
    describe: api.describe,
    expect: api.expect,
    test(title, body) {
      api.test(title, async () => {
        await using store = await open()
        await body(store)
      })
    },
  }
  api.describe(name, () => {
    describeReading(suite)
    describeQuerying(suite)
    describeWriting(suite)
    describeServerValues(suite)
    describePriorities(suite)
    describeJudging(suite)
    describeNesting(suite)
    describeRepeating(suite)
    describeStaging(suite)
    describeLife(suite)
    describeFollowing(suite)
  })
}
