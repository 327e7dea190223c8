import { expect, test } from 'vitest'
import { indexesOf } from './rules-file.ts'
import { lineAndColumn, parseRulesJson } from './rules-json.ts'

const open = '".read": true, ".write": true'

const failureOf = (text: string): string => {
  try {
    indexesOf(text)
  } catch (error) {
    const { message, at } = error as Error & { at: number }
    return `${lineAndColumn(text, at)}: ${message}`
  }
  return 'none'
}

test('indexesOf() gathers .indexOn of all places, wildcards among them', () => {
  const text = `{
    // Everybody may do everything.
    "rules": {
      ".read": true,
      ".write": "true", /* as text */
      ".indexOn": "born",
      "people": { ".indexOn": ["age", "address/city",], },
      "jobs": { ".indexOn": [".priority", "due"] },
      "rooms": { "$room": { ".indexOn": ".value", "log": { ".indexOn": ["time"], ".validate": true } } },
    },
  }`
  expect(indexesOf(text)).toEqual({
    '/': ['born'],
    '/people': ['age', 'address/city'],
    '/jobs': ['$priority', 'due'],
    '/rooms/$room': ['$value'],
    '/rooms/$room/log': ['time'],
  })
})

test('indexesOf() takes a file without indexes', () => {
  expect(indexesOf(`{"rules": {${open}}}`)).toEqual({})
})

// Where a caret stands in front of a place, that is the place that is told.
const expectFailure = (marked: string, message: string): void => {
  const place = lineAndColumn(marked, marked.indexOf('^'))
  const text = marked.replace('^', '')
  expect([marked, failureOf(text)]).toEqual([marked, `${place}: ${message}`])
}

test('indexesOf() refuses each rule that would not be kept, with its place', () => {
  const unkept = (name: string): string => `The rule "${name}" would not be kept.`
  for (const [rules, message] of [
    ['^{}', 'The rules without ".read" deny it to everybody.'],
    ['^{".read": true}', 'The rules without ".write" deny it to everybody.'],
    ['{^".read": false, ".write": true}', unkept('.read')],
    [`{${open}, ^".read": false}`, "The name '.read' is given twice."],
    [`{${open}, "a": {^".write": "auth != null"}}`, unkept('.write')],
    [`{${open},\n "$a": {^".validate": "newData.isString()"}}`, unkept('.validate')],
    [`{${open}, "a": {^".read": false}}`, unkept('.read')],
    ['{^".read": "false", ".write": true}', unkept('.read')],
  ] as const) {
    expectFailure(`{"rules": ${rules}}`, message)
  }
})

test('indexesOf() refuses what is no rules file', () => {
  const shape = 'The file has to be an object with one member, "rules", an object.'
  for (const text of ['{}', '[]', '{"rules": 1}', '{"rules": {}, "x": 1}']) {
    expectFailure(`^${text}`, shape)
  }
  const rule = "Invalid rule expression.  Expected 'true', 'false', or an expression string."
  const indexOn = 'Invalid indexOn expression. Must be either a string or an array of strings'
  const key = `String can't contain ".", "#", "$", "/", "[", or "]"`
  for (const [members, message] of [
    ['"a": {".read": ^1}', rule],
    ['"a": {".validate": ^{}}', rule],
    ['".indexOn": ^5', indexOn],
    ['".indexOn": ["a", ^{}]', indexOn],
    ['"b": ^"true"', "Expected '{'."],
    ['".valdiate": ^"true"', "Expected '{'."],
    ['^".valdiate": {}', key],
    ['^"a#b": {}', key],
    ['"$x": {}, ^"$y": {}', "Cannot have multiple default rules ('$x' and '$y')."],
    ['"a": {}, ^"a": {}', "The name 'a' is given twice."],
    ['".indexOn": "a", ^".indexOn": "b"', "The name '.indexOn' is given twice."],
    ['"a": {"*": {".indexOn": ^"b"}}', "There are no indexes below the key '*'."],
    ['"$x": {^"$x": {}}', "The name '$x' stands for another key above already."],
  ] as const) {
    expectFailure(`{"rules": {${open}, ${members}}}`, message)
  }
  for (const field of ['a.b', '$key', '']) {
    const text = `{"rules": {${open}, ".indexOn": "${field}"}}`
    expect(failureOf(text)).toMatch(/^1:55: Invalid indexOn expression: /)
  }
})

test('parseRulesJson() tells what it does not understand by line and column', () => {
  for (const [text, failure] of [
    ['', '1:1: Unexpected end of the file.'],
    ['{\n "a": tru }', "2:7: Unexpected 't'."],
    ['{"a": 1,, "b": 1}', `1:9: Expected '"'.`],
    ['{, "a": 1}', "1:2: Unexpected ','."],
    ["{'a': 1}", `1:2: Expected '"'.`],
    ['{a: 1}', `1:2: Expected '"'.`],
    ['{"a" 1}', "1:6: Expected ':'."],
    ['{"a": 1 "b"}', "1:9: Expected '}'."],
    ['{"a": "x\\\ny"}', "1:9: Invalid escape: '\\\n'"],
    ['{"a": 1} x', "1:10: Unexpected 'x'."],
    ['{"a": /* 1}', "1:7: Unexpected '/'."],
    ['{"a": "x', '1:9: Unexpected end of the file.'],
    ['{"a": 01}', "1:7: Unexpected '01'."],
    ['['.repeat(200), '1:102: The rules are nested too deep.'],
  ] as const) {
    expect([text, failureOf(text)]).toEqual([text, failure])
  }
})

test('parseRulesJson() takes line breaks, tabs and escapes in strings', () => {
  expect(parseRulesJson('"a\n\tb\\u0041\\n\\""')).toEqual({
    kind: 'string',
    at: 0,
    value: 'a\n\tbA\n"',
  })
  expect(parseRulesJson('\ufeff[1.5e2, null]')).toMatchObject({ kind: 'array', at: 1 })
})
