import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { json, print } from '../test/arbitraries.ts'
import { naiveLines, naiveNode } from '../test/naive-tree.ts'
import { parseJson } from './parse.ts'
import { prettyPrint } from './pretty-print.ts'

function pretty(text: string, size = text.length + 1): string {
  const bytes = new TextEncoder().encode(text)
  const blocks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => {
    return bytes.subarray(index * size, (index + 1) * size)
  })
  const decoder = new TextDecoder('utf-8', { fatal: true })
  return [...prettyPrint(blocks)].map((block) => decoder.decode(block, { stream: true })).join('')
}

describe('prettyPrint()', () => {
  test('it lays out objects and arrays', () => {
    expect(pretty('{"name":"Ada","tags":["a",["b"]],"none":{"a":{}},"list":[]}')).toBe(`{
  "name" : "Ada",
  "tags" : [
    "a",
    [
      "b"
    ]
  ],
  "none" : {
    "a" : {}
  },
  "list" : []
}
`)
  })

  test('it ends every value with a line feed', () => {
    expect(['1', 'null', '"a"', '{}', '[]', 'true'].map((text) => pretty(text))).toEqual([
      '1\n',
      'null\n',
      '"a"\n',
      '{}\n',
      '[]\n',
      'true\n',
    ])
  })

  test('it leaves strings alone', () => {
    expect(pretty('{"a:{,":"[\\"}\\\\","\\\\":": , \\n"}')).toBe(
      '{\n  "a:{," : "[\\"}\\\\",\n  "\\\\" : ": , \\n"\n}\n',
    )
  })

  test('it lays out any value the same, however blocks are cut', () => {
    fc.assert(
      fc.property(json, fc.integer({ min: 1, max: 7 }), (value, size) => {
        const node = naiveNode(value)
        fc.pre(node !== null)
        const text = parseJson(print(value)).toText('export')
        expect(pretty(text, size)).toBe(`${naiveLines(node)}\n`)
      }),
    )
  })

  test('it gives an empty block for each one, and reads no further before', () => {
    const blocks = ['', '[1', '', ']'].map((text) => new TextEncoder().encode(text)).values()
    const printed = prettyPrint(blocks)
    expect(printed.next().value).toHaveLength(0)
    expect(printed.next().value).toHaveLength(0)
    expect(blocks.next().value).toEqual(new TextEncoder().encode(']'))
    expect(printed.next().value).toEqual(new TextEncoder().encode('[\n  1\n'))
  })

  test('it gives blocks of bounded size', () => {
    const text = JSON.stringify({ list: Array.from({ length: 50_000 }, (_, index) => [index]) })
    const blocks = [...prettyPrint([new TextEncoder().encode(text)])]
    expect(blocks.length).toBeGreaterThan(10)
    expect(Math.max(...blocks.map(({ length }) => length))).toBeLessThanOrEqual(64 * 1024)
    expect(JSON.parse(pretty(text))).toEqual(JSON.parse(text))
  })
})
