import process from 'node:process'
import fc from 'fast-check'
import { test } from 'vitest'
import { Trial, blockBytes, blockCount, slotBytes } from './fuzz-trial.ts'
import type { Step } from './fuzz-trial.ts'

const who = fc.nat(1)
const band = fc.nat(1)
// The edges of slots and blocks more often than others; the longest needs all blocks.
const length = fc.oneof(
  fc.nat(blockCount * blockBytes),
  fc.constantFrom(0, 1, slotBytes, slotBytes + 1, blockBytes, blockBytes + 1, 2 * blockBytes),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('put' as const),
    who,
    band,
    lengths: fc.array(length, { minLength: 1, maxLength: 6 }),
  }),
  fc.record({
    do: fc.constant('draft' as const),
    who,
    band,
    lengths: fc.array(fc.nat(150), { maxLength: 5 }),
    reserve: fc.boolean(),
  }),
  fc.record({
    do: fc.constant('claim' as const),
    who,
    band,
    length: fc.nat(slotBytes),
    isPublished: fc.boolean(),
  }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('take' as const),
      who,
      max: fc.integer({ min: 1, max: 5 }),
      isHeld: fc.boolean(),
    }),
  },
  fc.record({ do: fc.constant('release' as const), who }),
  { weight: 1, arbitrary: fc.record({ do: fc.constant('detach' as const), who }) },
)

test('items of any length come out as they went in, and blocks are never lost', () => {
  fc.assert(
    fc.property(
      // Around the step of the positions from 2^31 - 1 to 0.
      fc.integer({ min: 2 ** 31 - 20, max: 2 ** 31 - 1 }),
      fc.array(step, { maxLength: 60, size: 'max' }),
      (firstPosition, steps) => {
        const trial = new Trial(firstPosition)
        for (const each of steps) trial.step(each)
      },
    ),
    { numRuns: Number(process.env['FC_NUM_RUNS'] ?? 500) },
  )
})
