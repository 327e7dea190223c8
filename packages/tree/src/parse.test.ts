import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { json, plainJson, print } from '../test/arbitraries.ts'
import { naiveNode, naiveText } from '../test/naive-tree.ts'
import { TreeError } from './errors.ts'
import { ServerValue, nodeAt } from './node.ts'
import { parseJson, parseUpdate } from './parse.ts'

const choices = fc.array(fc.nat(59), { minLength: 1 })

/** Code and place of the error, as `ERR_CODE 1:2`; the text when there is none. */
function parsed(input: string | Uint8Array, depth = 0): string {
  try {
    return parseJson(input, { depth }).toText('export')
  } catch (error) {
    if (!(error instanceof TreeError)) throw error
    return `${error.code} ${error.line}:${error.column}`
  }
}

describe('parseJson()', () => {
  test('it makes what an independent reading of the rules makes', () => {
    fc.assert(
      fc.property(fc.oneof(plainJson, json), choices, (value, choice) => {
        const node = naiveNode(value)
        const text = print(value, choice)
        for (const input of [text, new TextEncoder().encode(text)]) {
          const result = parseJson(input)
          expect(result.toText('plain')).toBe(naiveText(node, 'plain'))
          expect(result.toText('export')).toBe(naiveText(node, 'export'))
        }
      }),
    )
  })

  test('it reads what was printed as the same value', () => {
    fc.assert(
      fc.property(json, (value) => {
        const first = parseJson(print(value))
        for (const text of [first.text, first.toText('export')]) {
          const second = parseJson(text)
          expect(second.toText('export')).toBe(first.toText('export'))
          expect(second.node).toEqual(first.node)
        }
      }),
    )
  })

  test('it keeps every double that ECMAScript can print', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        expect(parseJson(String(number)).node).toBe(number + 0)
      }),
    )
  })

  test('it refuses integers that would be rounded', () => {
    expect(parsed('9007199254740993')).toBe('ERR_INVALID_NUMBER 1:1')
    expect(parsed('[1,\n -9007199254740993]')).toBe('ERR_INVALID_NUMBER 2:2')
    expect(parsed('1000000000000000000000000')).toBe('ERR_INVALID_NUMBER 1:1')
    expect(parsed('9'.repeat(308))).toBe('ERR_INVALID_NUMBER 1:1')
    expect(parsed('9007199254740993.0')).toBe('ERR_INVALID_NUMBER 1:1')
    expect(parsed('[-9007199254740993.000]')).toBe('ERR_INVALID_NUMBER 1:2')
    expect(parsed('9007199254740994.0')).toBe('9007199254740994')
    expect(parsed('295147905179352830000.0')).toBe('295147905179352830000')
    expect(parsed('9007199254740993.5')).toBe('9007199254740994')
    expect(parsed('9007199254740992')).toBe('9007199254740992')
    expect(parsed('9007199254740994')).toBe('9007199254740994')
    expect(parsed('100000000000000000000')).toBe('100000000000000000000')
    expect(parsed('295147905179352830000')).toBe('295147905179352830000')
    expect(parsed('0.1000000000000000055511151231257827')).toBe('0.1')
    expect(parsed('123456789012345678901e0')).toBe('123456789012345680000')
  })

  test('it refuses numbers that are not finite', () => {
    expect(parsed('1e400')).toBe('ERR_INVALID_NUMBER 1:1')
    expect(parsed('{"a":[0,-1e400]}')).toBe('ERR_INVALID_NUMBER 1:9')
    expect(parsed('9'.repeat(400))).toBe('ERR_INVALID_NUMBER 1:1')
    expect(parsed('1e-400')).toBe('0')
  })

  test('it says where a bad key stands', () => {
    for (const character of ['.', '$', '#', '[', ']', '/', '\\u0000', '\\n', '\u007f']) {
      expect(parsed(`{"a":{"b":1,\n  "x${character}":2}}`)).toBe('ERR_INVALID_KEY 2:3')
    }
    expect(parsed('{"":1}')).toBe('ERR_INVALID_KEY 1:2')
    expect(parsed(`{"${'é'.repeat(385)}":1}`)).toBe('ERR_INVALID_KEY 1:2')
    expect(parsed(`{"${'é'.repeat(384)}":1}`)).toBe(`{"${'é'.repeat(384)}":1}`)
    expect(parsed('{".foo":1}')).toBe('ERR_INVALID_KEY 1:2')
    expect(parsed('{".value":1,".foo":null}')).toBe('ERR_INVALID_KEY 1:13')
  })

  test('it words a bad key as the REST surface does', () => {
    expect(() => parseJson('{"a.b":1}')).toThrow(
      "Invalid data; couldn't parse key beginning at 1:2. Key value can't be empty or contain $ # [ ] / or .",
    )
  })

  test('it says when a control character is the fault', () => {
    const text =
      "couldn't parse key beginning at 1:2. Key value can't contain ASCII control characters"
    expect(() => parseJson('{"a\\n":1}')).toThrow(text)
    expect(() => parseJson('{"\u007f":1}')).toThrow(text)
    expect(() => parseUpdate('{"b/a\\n/.priority":1}')).toThrow(text)
    expect(() => parseUpdate('{"b/a.b/c":1}')).toThrow("can't be empty or contain $ # [ ] / or .")
    expect(() => parseUpdate('{"/":1}')).toThrow("can't be empty or contain $ # [ ] / or .")
  })

  test('it limits the depth, the path counted', () => {
    expect(parsed(`${'{"a":'.repeat(32)}1${'}'.repeat(32)}`)).toContain('{"a":1}')
    expect(parsed(`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`)).toBe('ERR_TOO_DEEP 1:162')
    expect(parsed('['.repeat(1_000_000))).toBe('ERR_TOO_DEEP 1:34')
    expect(parsed('{"a":[1]}', 30)).toBe('{"a":{"0":1}}')
    expect(parsed('{"a":[1]}', 31)).toBe('ERR_TOO_DEEP 1:7')
    expect(parsed('1', 32)).toBe('1')
    expect(parsed('{".value":1,".priority":2}', 32)).toBe('{".value":1,".priority":2}')
    expect(parsed('{".sv":{"increment":2}}', 32)).toBe('{".sv":{"increment":2}}')
  })

  test('it refuses what is not text', () => {
    expect(parsed('"\\ud800"')).toBe('ERR_INVALID_STRING 1:2')
    expect(parsed('{"a":"x\\udc00"}')).toBe('ERR_INVALID_STRING 1:8')
    expect(parsed('"\\ud800\\ud800\\udc00"')).toBe('ERR_INVALID_STRING 1:2')
    expect(parsed('{"\\ud800":1}')).toBe('ERR_INVALID_STRING 1:3')
    expect(parsed('"\ud800"')).toBe('ERR_INVALID_STRING 1:1')
    expect(parsed('"\\ud83d\\ude00"')).toBe('"😀"')
    expect(parsed(new Uint8Array([0x22, 0x61, 0xc3, 0x28, 0x22]))).toBe('ERR_INVALID_STRING 1:3')
    expect(parsed(new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]))).toBe('ERR_INVALID_STRING 1:2')
    expect(parsed(new Uint8Array([0x22, 0xf0, 0x9f]))).toBe('ERR_INVALID_STRING 1:2')
  })

  test('it limits a string to 10 MiB', () => {
    const most = 'é'.repeat(5 * 1024 * 1024)
    expect(parseJson(JSON.stringify({ a: most })).text.length).toBe(most.length + 8)
    expect(parsed(JSON.stringify({ a: `${most}x` }))).toBe('ERR_STRING_TOO_LARGE 1:6')
    expect(parsed(JSON.stringify({ [most]: 1 }))).toBe('ERR_INVALID_KEY 1:2')
  })

  test('it says where the syntax is broken', () => {
    expect(parsed('')).toBe('ERR_JSON_SYNTAX 1:1')
    expect(parsed(' \n ')).toBe('ERR_JSON_SYNTAX 2:2')
    expect(parsed('\ufeff{}')).toBe('ERR_JSON_SYNTAX 1:1')
    expect(parsed(new Uint8Array([0xef, 0xbb, 0xbf, 0x7b, 0x7d]))).toBe('ERR_JSON_SYNTAX 1:1')
    expect(parsed('{"a":1')).toBe('ERR_JSON_SYNTAX 1:7')
    expect(parsed('{"a":1,}')).toBe('ERR_JSON_SYNTAX 1:8')
    expect(parsed('[1,\n2 3]')).toBe('ERR_JSON_SYNTAX 2:3')
    expect(parsed('{a:1}')).toBe('ERR_JSON_SYNTAX 1:2')
    expect(parsed("{'a':1}")).toBe('ERR_JSON_SYNTAX 1:2')
    expect(parsed('"a\tb"')).toBe('ERR_JSON_SYNTAX 1:3')
    expect(parsed('[1] // list')).toBe('ERR_JSON_SYNTAX 1:5')
    expect(parsed('[01]')).toBe('ERR_JSON_SYNTAX 1:2')
    expect(parsed('[NaN]')).toBe('ERR_JSON_SYNTAX 1:2')
    expect(parsed('"\\u00g0"')).toBe('ERR_JSON_SYNTAX 1:2')
  })

  test('the names of prototypes are ordinary keys', () => {
    const text = '{"__proto__":{"constructor":1,"toString":[1]},"hasOwnProperty":{"__proto__":2}}'
    expect(parseJson(text).text).toBe(text)
    expect(parsed(`{"__proto__":{".priority":1,"__proto__":2}}`)).toBe(
      '{"__proto__":{".priority":1,"__proto__":2}}',
    )
    expect(({} as Record<string, unknown>)['constructor']).toBe(Object)
  })

  test('it reads priorities, values and server values', () => {
    expect(parsed('{".value":5}')).toBe('5')
    expect(parsed('{".value":5,".priority":null}')).toBe('5')
    expect(parsed('{".value":null,".priority":1}')).toBe('null')
    expect(parsed('{".priority":1}')).toBe('null')
    expect(parsed('{"a":{".priority":1,"b":{}},"c":1}')).toBe('{"c":1}')
    expect(parsed('{"a":[1],".priority":"p"}')).toBe('{".priority":"p","a":{"0":1}}')
    const value = parseJson('{"a":{".sv":"timestamp"},"b":{".sv":{"increment":-2}}}')
    expect(value.hasServerValues).toBe(true)
    expect(nodeAt(value.node, ['a'])).toEqual(new ServerValue())
    expect(nodeAt(value.node, ['b'])).toEqual(new ServerValue(-2))
    expect(parseJson('{".value":{".sv":"timestamp"}}').node).toEqual(new ServerValue())
    expect(parseJson('{"a":1}').hasServerValues).toBe(false)
    expect(parseJson('{".value":1,".priority":1}').hasServerValues).toBe(false)
  })

  test('it refuses reserved members that mean nothing', () => {
    expect(parsed('{".value":1,"a":2}')).toBe('ERR_INVALID_VALUE 1:2')
    expect(parsed('{"a":2, ".value":1}')).toBe('ERR_INVALID_VALUE 1:9')
    expect(parsed('{".value":{"a":1}}')).toBe('ERR_INVALID_VALUE 1:2')
    expect(parsed('{".value":[1]}')).toBe('ERR_INVALID_VALUE 1:2')
    expect(parsed('{".value":{}}')).toBe('ERR_INVALID_VALUE 1:2')
    for (const priority of ['true', '{}', '[]', '{"a":1}', '{".value":1}']) {
      expect(parsed(`{"a":{".priority":${priority},"b":1}}`)).toBe('ERR_INVALID_PRIORITY 1:7')
    }
    const badServerValues = [
      '1',
      'null',
      '"time"',
      '{}',
      '[]',
      '{"increment":"1"}',
      '{"increment":{}}',
    ]
    for (const value of [...badServerValues, '{"increment":1,"x":1}', '{"decrement":1}']) {
      expect(parsed(`{"a":{".sv":${value}}}`)).toBe('ERR_INVALID_SERVER_VALUE 1:7')
    }
    expect(parsed('{".sv":"timestamp","a":1}')).toBe('ERR_INVALID_SERVER_VALUE 1:2')
    expect(parsed('{".sv":"timestamp",".priority":1}')).toBe('ERR_INVALID_SERVER_VALUE 1:2')
    expect(parsed('{".sv":{"increment":1e400}}')).toBe('ERR_INVALID_NUMBER 1:21')
  })

  test('an error names the path of the fault', () => {
    expect(() => parseJson('{"a":[1,{"b":1e400}]}')).toThrow(
      expect.objectContaining({ path: '/a/1/b' }),
    )
  })
})

/** Each member as `path=text`, the code of the error, or `null`. */
function updated(input: string, depth = 0): unknown {
  try {
    return parseUpdate(input, { depth })?.map(({ path, value }) => `${path}=${value.text}`) ?? null
  } catch (error) {
    if (!(error instanceof TreeError)) throw error
    return error.line === undefined ? error.message : `${error.code} ${error.line}:${error.column}`
  }
}

describe('parseUpdate()', () => {
  test('member names are paths', () => {
    expect(updated('{"a/b":1,"/c/":"x","d":{"e":[1]}}')).toEqual([
      '/a/b=1',
      '/c="x"',
      '/d={"e":[1]}',
    ])
    expect(updated('{}')).toEqual([])
  })

  test('the word null is told apart', () => {
    expect(updated('null')).toBe(null)
    expect(updated(' null ')).toBe(null)
  })

  test('what deletes comes later, and priorities last', () => {
    expect(updated('{".priority":1,"a":null,"b/.priority":null,"c":{},"d":1}')).toEqual([
      '/d=1',
      '/a=null',
      '/c=null',
      '/.priority=1',
      '/b/.priority=null',
    ])
  })

  test('only objects are updates', () => {
    for (const input of ['[1]', '1', '"a"', 'true']) {
      expect(updated(input)).toBe('ERR_NOT_AN_OBJECT 1:1')
    }
    expect(updated('{"a":1')).toBe('ERR_JSON_SYNTAX 1:7')
  })

  test('it refuses names that are no paths', () => {
    expect(updated('{"":1}')).toBe('ERR_INVALID_KEY 1:2')
    expect(updated('{"//":1}')).toBe('ERR_INVALID_KEY 1:2')
    expect(updated('{"a":1,"b/c.d":1}')).toBe('ERR_INVALID_KEY 1:8')
    expect(updated('{".priority/a":1}')).toBe('ERR_INVALID_KEY 1:2')
    expect(updated('{".value":1}')).toBe('ERR_INVALID_KEY 1:2')
    expect(updated('{".sv":"timestamp"}')).toBe('ERR_INVALID_KEY 1:2')
    expect(updated(`{"${'a/'.repeat(33)}":1}`)).toBe('ERR_PATH_TOO_LONG 1:2')
    expect(updated('{"a/b":1}', 31)).toBe('ERR_TOO_DEEP 1:2')
    expect(updated('{"a/.priority":1}', 31)).toEqual(['/a/.priority=1'])
    expect(updated('{"a":{"b":1}}', 31)).toBe('ERR_TOO_DEEP 1:7')
  })

  test('it refuses paths that lead to or through one another', () => {
    const ancestor = "Invalid data; path '/a' is an ancestor of another path '/a/b'"
    expect(updated('{"a":1,"a/b":2}')).toBe(ancestor)
    expect(updated('{"a/b":2,"/a":{".sv":"timestamp"}}')).toBe(ancestor)
    expect(updated('{"a":1,"a/":2}')).toBe("Invalid data; path '/a' is given twice")
    expect(updated('{"a":1,"a/.priority":2}')).toContain('is an ancestor')
    expect(updated('{".priority":1,"a":2}')).toEqual(['/a=2', '/.priority=1'])
  })

  test('of two members with one name the last one holds', () => {
    expect(updated('{"a":1,"a":2}')).toEqual(['/a=2'])
    expect(updated('{"a":{".priority":1,"x":1},"a":{".value":2,".priority":2}}')).toEqual([
      '/a={".value":2,".priority":2}',
    ])
  })

  test('a priority is a number, a string or null', () => {
    for (const value of ['true', '[1]', '{"a":1}', '{".value":1,".priority":1}']) {
      expect(updated(`{"a/.priority":${value}}`)).toBe('ERR_INVALID_PRIORITY 1:2')
    }
    expect(updated('{"a/.priority":{".sv":"timestamp"}}')).toEqual([
      '/a/.priority={".sv":"timestamp"}',
    ])
  })
})
