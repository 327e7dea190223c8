import { rootPath } from '@elkyn/tree'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Refusal } from '../refusal.ts'
import type { StreamTarget } from './stream-target.ts'
import { WholeChecks } from './whole-checks.ts'

function targetOf(maxBytes: number): StreamTarget {
  return { path: rootPath, shownPath: rootPath, form: 'plain', maxBytes }
}

test('check() reads once for all who ask for the same meanwhile, and again for those who ask later', async () => {
  const read = vi.fn<() => Promise<unknown>>().mockRejectedValueOnce(new Refusal(400, 'Too much'))
  const checks = new WholeChecks(read)
  const asked = [checks.check(targetOf(1)), checks.check(targetOf(1))]
  const outcomes = await Promise.allSettled(asked)
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(read).toHaveBeenCalledTimes(1)
  await expect(checks.check(targetOf(1))).resolves.toBeUndefined()
  expect(read).toHaveBeenCalledTimes(2)
})

test('check() reads a few at one time', async () => {
  // How much is begun in a turn does not depend on how busy the machine is.
  const clock = vi.spyOn(performance, 'now').mockReturnValue(0)
  onTestFinished(() => clock.mockRestore())
  let most = 0
  let now = 0
  const checks = new WholeChecks(async () => {
    most = Math.max(most, ++now)
    await new Promise((resolve) => setImmediate(resolve))
    now--
  })
  await Promise.all(Array.from({ length: 100 }, (_, index) => checks.check(targetOf(index + 1))))
  expect([most, now]).toEqual([32, 0])
})
