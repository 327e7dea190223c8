import { expect, test } from 'vitest'
import { inSlices } from './steps.ts'
import type { Steps } from './steps.ts'
import { TimeSlice } from './time-slice.ts'

test('inSlices() gives what steps come to, and lets others have their turn in between', async () => {
  const turn = new AbortController()
  setImmediate(() => turn.abort())
  function* steps(): Steps<string> {
    expect(turn.signal.aborted).toBe(false)
    yield
    expect(turn.signal.aborted).toBe(true)
    return 'done'
  }
  expect(await inSlices(steps(), new TimeSlice(0))).toBe('done')
})

test('inSlices() ends steps that nobody wants to go on', async () => {
  let isEnded = false
  function* steps(): Steps<void> {
    try {
      while (true) yield
    } finally {
      isEnded = true
    }
  }
  const slice = new TimeSlice(0, () => {
    throw new Error('Nobody wants it any more')
  })
  await expect(inSlices(steps(), slice)).rejects.toThrow('Nobody wants it any more')
  expect(isEnded).toBe(true)
})
