import { expect, test } from 'vitest'
import { takePrefix } from './prefixed-blocks.ts'

test('takePrefix() parts blocks wherever the prefix ends, and ends them with the rest', async () => {
  const bytes = Buffer.from('abcdef')
  for (let length = 0; length <= bytes.length; length++) {
    for (let block = 1; block <= bytes.length; block++) {
      let isEnded = false
      async function* blocksOf(): AsyncGenerator<Uint8Array, void, void> {
        try {
          for (let at = 0; at < bytes.length; at += block) yield bytes.subarray(at, at + block)
        } finally {
          isEnded = true
        }
      }
      const { prefix, rest } = await takePrefix(blocksOf(), length)
      expect(Buffer.from(prefix).toString()).toBe('abcdef'.slice(0, length))
      const left: Uint8Array[] = []
      for await (const one of rest) left.push(one)
      expect(Buffer.concat(left).toString()).toBe('abcdef'.slice(length))
      expect(isEnded).toBe(true)
    }
  }
  const short = takePrefix(
    (async function* () {
      yield bytes
    })(),
    7,
  )
  await expect(short).rejects.toThrow('Too few bytes')
})
