import { expect, test } from 'vitest'
import { ChangeIdWriter, changeId, sequenceIn } from './change-id.ts'

const sequences = [
  0,
  1,
  9,
  10,
  11,
  99,
  100,
  101,
  199,
  200,
  12_345,
  2 ** 31,
  2 ** 32 + 7,
  2 ** 48 - 1,
]
const marks = [0, 1, 0xf, 0x10, 0xabc, 0x0fff_ffff, 0x1000_0000, 0x7fff_ffff, -1, -0x8000_0000]

test('an id is written as it is given, whichever was written before', () => {
  const writer = new ChangeIdWriter(Buffer.from('ä: '), 'epoch')
  const bytes = Buffer.alloc(3 + writer.maxBytes)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (const sequence of [...sequences, ...sequences.toReversed()]) {
    for (const mark of marks) {
      const id = changeId('epoch', sequence, mark)
      const end = writer.write(sequence, mark, view, 3)
      expect(bytes.toString('utf8', 3, end)).toBe(`ä: ${id}`)
      expect(sequenceIn(id)).toBe(sequence)
    }
  }
})
