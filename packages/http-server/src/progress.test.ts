import { expect, test } from 'vitest'
import { Progress } from './progress.ts'

test('Progress sees what does not leave between two looks', () => {
  const progress = new Progress()
  expect(progress.hasStalled(10, 0)).toBe(false)
  expect(progress.hasStalled(9, 1)).toBe(false)
  expect(progress.hasStalled(19, 1)).toBe(true)
})

test('Progress gives the whole time to what came after a look at nothing', () => {
  const progress = new Progress()
  expect(progress.hasStalled(0, 5)).toBe(false)
  expect(progress.hasStalled(10, 5)).toBe(false)
  expect(progress.hasStalled(10, 5)).toBe(true)
})
