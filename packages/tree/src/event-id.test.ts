import { expect, test } from 'vitest'
import { eventIdInside, parseEventId, sequenceOfEventId } from './event-id.ts'

test('eventIdInside() says behind how many pairs of a change an event stands', () => {
  expect(eventIdInside('epoch-12-ab', 3)).toBe('epoch-12.3-ab')
  expect(eventIdInside('-ep-och-12-ab', 0)).toBe('-ep-och-12.0-ab')
})

test('parseEventId() gives the change and the pairs back', () => {
  expect(parseEventId('-ep-och-12.3-ab')).toEqual({ id: '-ep-och-12-ab', pairs: 3 })
  expect(parseEventId('epoch-12-ab')).toEqual({ id: 'epoch-12-ab', pairs: Infinity })
})

test('parseEventId() takes what is no id for that of a change that nobody has', () => {
  for (const text of ['', '-', 'x', '12.3', 'a-1.x-b', 'ä\n-1.2']) {
    expect(parseEventId(text)).toEqual({ id: text, pairs: Infinity })
  }
})

test('sequenceOfEventId() says of which change an event is', () => {
  expect(['epoch-12-ab', '-ep-och-12.3-ab', 'epoch-0-0'].map(sequenceOfEventId)).toEqual([
    12, 12, 0,
  ])
  expect(['', 'epoch', '12', 'epoch-ab', 'epoch-x-ab'].map(sequenceOfEventId)).toEqual(
    Array.from({ length: 5 }, () => NaN),
  )
})
