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

test('GatheredBytes tells of pieces that it has copied', () => {
  const copied: Uint8Array[] = []
  const gathered = new GatheredBytes((piece) => copied.push(piece))
  const pieces = [new Uint8Array(1), new Uint8Array(2)] as const
  gathered.add(pieces[0])
  gathered.take()
  expect(copied).toEqual([])
  for (const piece of pieces) gathered.add(piece)
  gathered.take()
  expect(copied).toEqual(pieces)
})
