import { expect, test } from 'vitest'
import { PermittedSlice } from './pool/permitted-slice.ts'
import { TimeSlice } from './time-slice.ts'

test('rest() returns at once within a slice', async () => {
  let hasTurned = false
  setImmediate(() => (hasTurned = true))
  const slice = new TimeSlice(Infinity, () => expect.unreachable())
  await slice.rest()
  expect(hasTurned).toBe(false)
})

test('rest() gives others a turn after a slice, and checks whether to go on', async () => {
  let hasTurned = false
  setImmediate(() => (hasTurned = true))
  const slice = new TimeSlice(0, () => {
    expect(hasTurned).toBe(true)
    throw new Error('Nobody wants it any more')
  })
  await expect(slice.rest()).rejects.toThrow('Nobody wants it any more')
})

test('PermittedSlice has a permit while it works only', async () => {
  const said: string[] = []
  const say = (word: string) => async (): Promise<void> => void said.push(word)
  const permits = {
    take: say('take'),
    give: () => void said.push('give'),
    giveWay: say('give way'),
  }
  const slice = new PermittedSlice(() => said.push('check'), permits)
  await slice.begin()
  await slice.aside(say('wait')())
  // Until the slice is over.
  while (!said.includes('check')) await slice.rest()
  slice.end()
  slice.end()
  expect(said).toEqual([
    'take',
    'wait',
    'give',
    'take',
    'give',
    'give way',
    'take',
    'check',
    'give',
  ])
})
