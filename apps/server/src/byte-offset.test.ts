import fc from 'fast-check'
import { expect, test } from 'vitest'
import { byteOffset } from './byte-offset.ts'

async function* blocksOf(text: string, blockBytes: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += blockBytes) yield bytes.subarray(at, at + blockBytes)
}

test('byteOffset() counts lines and UTF-16 units', async () => {
  const text = '{\n  "é": "😀", "x": 1\n}\n'
  const place = { line: 2, column: '  "é": "😀", '.length + 1 }
  expect(await byteOffset(blocksOf(text, 4), place)).toBe(Buffer.from('{\n  "é": "😀", ').length)
})

test('byteOffset() of the place behind the last character is the size of the text', async () => {
  expect(await byteOffset(blocksOf('[1,', 2), { line: 1, column: 4 })).toBe(3)
})

test('byteOffset() of a place that the text does not reach is undefined', async () => {
  expect(await byteOffset(blocksOf('[1,\n2]', 2), { line: 3, column: 1 })).toBe(undefined)
})

test('byteOffset() finds every place of any text, however it comes', async () => {
  const texts = fc.array(fc.constantFrom('a', 'é', '€', '😀', '\n', '"'), { maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(
      texts,
      fc.nat({ max: 40 }),
      fc.integer({ min: 1, max: 5 }),
      async (characters, cut, blockBytes) => {
        const before = characters.slice(0, cut).join('')
        const lines = before.split('\n')
        const place = { line: lines.length, column: (lines.at(-1) ?? '').length + 1 }
        const offset = await byteOffset(blocksOf(characters.join(''), blockBytes), place)
        expect(offset).toBe(Buffer.byteLength(before))
      },
    ),
  )
})
