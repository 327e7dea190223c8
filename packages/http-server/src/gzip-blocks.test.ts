import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { gzipBlocks } from './gzip-blocks.ts'

const unzipped = (blocks: readonly Uint8Array[]): Buffer =>
  gunzipSync(Buffer.concat([...gzipBlocks(blocks)]))

test('gzipBlocks() gives one member that holds all blocks, however they are cut', () => {
  const text = fc.oneof(
    fc.uint8Array({ maxLength: 3000 }),
    fc
      .tuple(fc.string({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 3000 }))
      .map(([part, times]) => Buffer.from(part.repeat(times))),
  )
  fc.assert(
    fc.property(fc.array(text, { maxLength: 8 }), (blocks) => {
      expect(unzipped(blocks).equals(Buffer.concat(blocks))).toBe(true)
    }),
  )
})

test('gzipBlocks() refers back to the block before', () => {
  const block = Buffer.from(Array.from({ length: 16_000 }, (_, id) => (id * id * 31) >> 5))
  const bytes = (blocks: readonly Uint8Array[]): number =>
    Buffer.concat([...gzipBlocks(blocks)]).length
  expect(bytes([block, block])).toBeLessThan(bytes([block]) + 1000)
})

test('gzipBlocks() gives an empty member for nothing', () => {
  expect(unzipped([])).toHaveLength(0)
  expect(unzipped([new Uint8Array()])).toHaveLength(0)
})

test('gzipBlocks() takes one block for each that is taken', () => {
  let given = 0
  function* endless(): Generator<Uint8Array> {
    for (;;) {
      given++
      yield Buffer.from('x'.repeat(70_000))
    }
  }
  const blocks = gzipBlocks(endless())
  blocks.next()
  blocks.next()
  expect(given).toBe(2)
  blocks.return(undefined)
})
