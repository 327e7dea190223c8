import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eventBlock, jsonEvent } from './event-frame.ts'

test('eventBlock() writes a field for each line of data', () => {
  expect(eventBlock({ event: 'e', data: 'a\nb\r\nc\rd', id: '1' })).toBe(
    'event: e\ndata: a\ndata: b\ndata: c\ndata: d\nid: 1\n\n',
  )
})

test('eventBlock() writes what is empty or nought', () => {
  expect(eventBlock({ data: '' })).toBe('data: \n\n')
  expect(eventBlock({ id: '' })).toBe('id: \n\n')
  expect(eventBlock({ retry: 0 })).toBe('retry: 0\n\n')
  expect(eventBlock({ retry: 12.9 })).toBe('retry: 12\n\n')
  expect(eventBlock({ comment: 'a\nb' })).toBe(': a\n: b\n\n')
})

test('eventBlock() lets no text out of its field', () => {
  const text = fc.string({
    unit: fc.constantFrom('\r', '\n', '\0', ':', ' ', 'data: ', 'x', '\ufeff'),
  })
  fc.assert(
    fc.property(text, text, text, text, (event, data, id, comment) => {
      const block = eventBlock({ event, data, id, comment })
      expect(block.endsWith('\n\n')).toBe(true)
      const lines = block.slice(0, -2).split(/\r\n|[\r\n]/)
      expect(lines.every((line) => /^(?:event: |data: |id: |: )/.test(line))).toBe(true)
      const read = lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice(6))
      expect(read.join('\n')).toBe(data.replaceAll(/\r\n?/g, '\n'))
    }),
  )
})

test('jsonEvent() frames JSON text as it is', () => {
  const json = Buffer.from('{"a":"\\n\u2028"}')
  expect(jsonEvent('put', [json], 'x-1-2').toString()).toBe(
    'event: put\ndata: {"a":"\\n\u2028"}\nid: x-1-2\n\n',
  )
  expect(jsonEvent(undefined, [json], undefined).toString()).toBe('data: {"a":"\\n\u2028"}\n\n')
})
