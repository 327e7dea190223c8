import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TextMap } from './text-map.ts'

const pieces = ['', 'a', 'b', 'x'.repeat(4096), 'y'.repeat(5000)]
const texts = fc.array(fc.constantFrom(...pieces), { maxLength: 4 }).map((parts) => parts.join(''))

test('TextMap has what a map would have', () => {
  fc.assert(
    fc.property(fc.array(texts, { maxLength: 20 }), (all) => {
      const map = new TextMap<number>()
      const model = new Map<string, number>()
      for (const [index, text] of all.entries()) {
        expect(map.get(text)).toBe(model.get(text))
        map.set(text, index)
        model.set(text, index)
      }
      expect(map.values()).toEqual([...model.values()])
      for (const [text, value] of model) expect(map.get(text)).toBe(value)
    }),
  )
})

test('TextMap takes a time that grows with the number of texts, also of long ones', () => {
  const map = new TextMap<number>()
  const begin = 'x'.repeat(24_000)
  // In a map of V8 these take minutes.
  for (let index = 0; index < 4000; index++) map.set(`${begin}${index + 10_000}`, index)
  expect(map.values()).toHaveLength(4000)
})
