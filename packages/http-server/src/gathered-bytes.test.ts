import { expect, test } from 'vitest'
import { GatheredBytes } from './gathered-bytes.ts'

test('GatheredBytes gives pieces of any size back as one', () => {
  const gathered = new GatheredBytes()
  const text = 'abcdefghij'.repeat(100)
  for (const lengths of [[1000], [1], [500, 1, 300], Array.from({ length: 700 }, () => 1)]) {
    let start = 0
    for (const length of lengths) {
      gathered.add(Buffer.from(text.slice(start, start + length)))
      start += length
    }
    expect(gathered.length).toBe(start)
    expect(Buffer.from(gathered.take()).toString()).toBe(text.slice(0, start))
    expect(gathered.length).toBe(0)
  }
  expect(gathered.take()).toHaveLength(0)
})

test('GatheredBytes does not copy a piece that is alone', () => {
  const gathered = new GatheredBytes()
  const piece = new Uint8Array(3)
  gathered.add(piece)
  expect(gathered.take()).toBe(piece)
})
