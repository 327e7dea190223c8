import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { wholeJson } from './whole-json.ts'

const documents = [
  '{"a":{"b":[1,2.5,"x"]},"c":null}',
  '{"}":"]\\"{","\\\\":"é\\u00e9"}',
  '["a",{}]',
  '"a \\"text\\" \\\\"',
  'true',
  'null',
  '  {\n  "a": 1\n}\n',
]

function read(pieces: readonly string[]): Promise<string> {
  const blocks = Readable.from(pieces.map((piece) => Buffer.from(piece)))
  return text(wholeJson(blocks, (isJson) => new Error(isJson ? 'cut off' : 'no JSON')))
}

test.each(documents)(
  '%s passes whole, in any pieces, and fails wherever it is cut',
  async (json) => {
    for (let at = 0; at < json.trimEnd().length; at++) {
      expect(await read([json.slice(0, at), json.slice(at)])).toBe(json)
      await expect(read([json.slice(0, at)])).rejects.toThrow('cut off')
    }
  },
)

test.each(['<html>{}</html>', 'x', '-'.repeat(2000)])('%s is no JSON', async (page) => {
  await expect(read([page])).rejects.toThrow('no JSON')
})

test.each(['12.5', '-1e-7'])('the number %s passes', async (number) => {
  expect(await read([number])).toBe(number)
})
