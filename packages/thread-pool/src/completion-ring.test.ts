import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CompletionReader, CompletionWriter } from './completion-ring.ts'

function send(writer: CompletionWriter, tag: number, payload: Uint8Array): boolean {
  const offset = writer.claim(payload.length)
  if (offset === -1) return false
  writer.bytes.set(payload, offset)
  writer.publish(payload.length, tag, 3, 5.5, 7)
  return true
}

function receive(reader: CompletionReader): { tag: number; payload: Uint8Array }[] {
  const records: { tag: number; payload: Uint8Array }[] = []
  reader.read(Infinity, (tag, kind, startedAt, runUs, bytes, start, end) => {
    expect([kind, startedAt, runUs]).toEqual([3, 5.5, 7])
    records.push({ tag, payload: new Uint8Array(bytes.subarray(start, end)) })
  })
  return records
}

test('records come out whole and in order, however the ring wraps', () => {
  const sizes = fc.array(fc.oneof(fc.nat(40), fc.constant(-1)), { minLength: 100, maxLength: 400 })
  fc.assert(
    fc.property(sizes, (steps) => {
      const reader = new CompletionReader(512)
      const writer = new CompletionWriter(reader.buffer)
      const sent: unknown[] = []
      const received: unknown[] = []
      for (const [tag, size] of steps.entries()) {
        const payload = new Uint8Array(Math.max(size, 0)).fill(tag)
        if (size >= 0 && send(writer, tag, payload)) sent.push({ tag, payload })
        else received.push(...receive(reader))
      }
      received.push(...receive(reader))
      expect(received).toEqual(sent)
      expect(reader.isEmpty).toBe(true)
    }),
  )
})

test('a full ring refuses, and takes again after a read', () => {
  const reader = new CompletionReader(1024)
  const writer = new CompletionWriter(reader.buffer)
  const payload = new Uint8Array(100)
  let count = 0
  while (send(writer, count, payload)) count++
  expect(count).toBe(8)
  expect(receive(reader)).toHaveLength(8)
  expect(send(writer, 9, payload)).toBe(true)
})

test('what was written and not published is not there', () => {
  const reader = new CompletionReader(1024)
  const writer = new CompletionWriter(reader.buffer)
  writer.bytes.fill(255, writer.claim(50), 60)
  expect(reader.isEmpty).toBe(true)
  expect(receive(reader)).toEqual([])
})
