import { expect, test } from 'vitest'
import { parseStreamResult, streamResultBytes } from './stream-result-bytes.ts'

test('parseStreamResult() gives what streamResultBytes() was given, keys in memory of their own', () => {
  const [event, whole] = ['1', '2'].map((json) => {
    return { name: 'put' as const, json: Buffer.from(json), id: 'e-1-m' }
  })
  const known = { digest: 'd', keys: Buffer.from('a\nb\né') }
  const result = {
    sequence: 1,
    id: 'e-1-m',
    events: [event!],
    whole: whole!,
    isWhole: false,
    known,
  }
  const bytes = streamResultBytes(result)
  const parsed = parseStreamResult(bytes)
  expect(parsed).toMatchObject(result)
  bytes.fill(0)
  expect(parsed.known).toEqual(known)
  const none = { sequence: 1, id: undefined, events: [], isWhole: false }
  expect(parseStreamResult(streamResultBytes(none)).known).toEqual({})
  const noKeys = { ...none, known: { keys: Buffer.alloc(0) } }
  expect(parseStreamResult(streamResultBytes(noKeys)).known).toEqual(noKeys.known)
})
