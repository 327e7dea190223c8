import { expect, test } from 'vitest'
import { outputOf, processGone } from './own-process.ts'
import { settleHere } from './settle-here.ts'
import { scenarios } from './settle-suite.ts'

const withEnoughMemory = scenarios.filter(({ memoryMb }) => memoryMb === undefined)
const withLittleMemory = scenarios.filter(({ memoryMb }) => memoryMb !== undefined)

test.each(withEnoughMemory)('every promise settles as it should: $title', async (scenario) => {
  const { endings, wanted } = await settleHere(scenario)
  expect(endings).toEqual(wanted)
})

test.each(withLittleMemory)(
  'every promise settles as it should, or the whole process is gone: $title',
  ({ title }) => {
    const output = outputOf(new URL('./settle-run.ts', import.meta.url), title)
    if (output === processGone) return
    const { endings, wanted } = JSON.parse(output) as Awaited<ReturnType<typeof settleHere>>
    expect(endings).toEqual(wanted)
  },
)
