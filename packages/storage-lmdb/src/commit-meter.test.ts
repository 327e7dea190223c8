import { expect, test } from 'vitest'
import { CommitMeter } from './commit-meter.ts'

test('record() counts a commit under the next power of two of its writes', () => {
  const meter = new CommitMeter()
  expect(meter.stats()).toEqual({ count: 0, writes: 0, bySize: [] })
  for (const writes of [1, 2, 3, 4, 5, 512]) meter.record(writes)
  expect(meter.stats()).toEqual({
    count: 6,
    writes: 527,
    bySize: [1, 1, 2, 1, 0, 0, 0, 0, 0, 1],
  })
})
