import { JsonTokenizer } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { DocumentCutter } from './document-cutter.ts'
import type { DocumentCutterOptions } from './document-cutter.ts'

/** The texts of all parts of a document, and where each part but the first begins. */
function cut(
  document: string,
  options: DocumentCutterOptions,
): { parts: string[]; next: string[] } {
  const cutter = new DocumentCutter(options)
  const tokenizer = new JsonTokenizer(cutter)
  tokenizer.write(document)
  tokenizer.end()
  cutter.end()
  const parts: string[] = []
  const next: string[] = []
  for (;;) {
    const { text, end } = cutter.take()
    parts.push(text)
    if (end?.next === undefined) return { parts, next }
    next.push(end.next)
  }
}

test('DocumentCutter writes the document without white space when a part may have any length', () => {
  expect(cut('{ "a" : [1, {"b": null}, "\\u00e9\\n"], "c" : {} }', {}).parts).toEqual([
    '{"a":[1,{"b":null},"é\\n"],"c":{}}',
  ])
})

test('DocumentCutter names by path what is left of open containers', () => {
  const document = '{"a": {"x": 1, "y": [2, {"q": 3, "r": 4}, 5], "z": 6}, "b": 7}'
  expect(cut(document, { partLength: 1 })).toEqual({
    parts: [
      '{"a":{"x":1}}',
      '{"a/y":[2]}',
      '{"a/y/1":{"q":3}}',
      '{"a/y/1/r":4}',
      '{"a/y/2":5}',
      '{"a/z":6}',
      '{"b":7}',
    ],
    next: ['/a/y', '/a/y/1', '/a/y/1/r', '/a/y/2', '/a/z', '/b'],
  })
})

test('DocumentCutter puts members of several open containers into one part', () => {
  expect(
    cut('{"a": {"x": "0123456789", "y": 1}, "b": {"c": 2}, "d": 3}', { partLength: 10 }).parts,
  ).toEqual(['{"a":{"x":"0123456789"}}', '{"a/y":1,"b":{"c":2}}', '{"d":3}'])
})

test('DocumentCutter ends an update that has so many names, and a part that has so many server values', () => {
  expect(cut('{"a": 1, "b": 2, "c": [3, 4], "d": 5}', { merge: true, partValues: 2 })).toEqual({
    parts: ['{"a":1,"b":2}', '{"c":[3,4],"d":5}'],
    next: ['/c'],
  })
  const times = '[{".sv":"timestamp"},{".sv":"timestamp"},{".sv":"timestamp"}]'
  expect(cut(times, { partValues: 2 }).parts).toEqual([
    '[{".sv":"timestamp"},{".sv":"timestamp"}]',
    '{"2":{".sv":"timestamp"}}',
  ])
})

test('DocumentCutter ends an update whose members take as much memory as a server holds of them', () => {
  const small = JSON.stringify(Array.from({ length: 10 }, () => [1]))
  const document = `{${Array.from({ length: 10 }, (_, index) => `"a${index}":${small}`).join()}}`
  const { parts } = cut(document, { merge: true, partValues: 10 })
  expect(parts.length).toBeGreaterThan(2)
  expect(parts.length).toBeLessThan(10)
  // Texts are held however long they are, and what is larger otherwise goes to the disk.
  const texts = ['a', 'b', 'c'].map((key) => `"${key}":"${'x'.repeat(100_000)}"`).join()
  expect(cut(`{${texts}}`, { merge: true, partValues: 10 }).parts).toHaveLength(3)
  const large = JSON.stringify(Array.from({ length: 1000 }, () => [1]))
  const larger = `{"a":${large},"b":${large},"c":${large}}`
  expect(cut(larger, { merge: true, partValues: 10 }).parts).toEqual([larger])
})

test('DocumentCutter counts names, server values and memory together, as a server does', () => {
  const record = `{"at":{".sv":"timestamp"},"text":"${'x'.repeat(500)}"}`
  const document = `{${Array.from({ length: 9 }, (_, index) => `"a${index}":${record}`).join()}}`
  const { parts } = cut(document, { merge: true, partValues: 9 })
  expect(parts.map((part) => Object.keys(JSON.parse(part)).length)).toEqual([3, 3, 3])
})

test('DocumentCutter cuts a merge of deletions, but not between a priority of its place and what it is for', () => {
  expect(cut('{"a": null, "b": null, "c": {}}', { merge: true, partValues: 1 }).parts).toEqual([
    '{"a":null}',
    '{"b":null}',
    '{"c":{}}',
  ])
  expect(
    cut('{"a": null, ".priority": 1, "b": null, "c": 1, "d": 1}', { merge: true, partValues: 1 })
      .parts,
  ).toEqual(['{"a":null,".priority":1,"b":null,"c":1}', '{"d":1}'])
})

test('DocumentCutter does not cut between deletions of a merge while more fit', () => {
  expect(cut('{"a": null, "b": 1, "c": 2}', { merge: true, partLength: 1 }).parts).toEqual([
    '{"a":null,"b":1}',
    '{"c":2}',
  ])
})

test('DocumentCutter does not cut behind a priority that is a server value', () => {
  for (const value of ['"timestamp"', '{"increment":1}']) {
    const priority = `".priority":{".sv":${value}}`
    expect(cut(`{"n":{${priority},"x":1,"y":2}}`, { partLength: 1 }).parts).toEqual([
      `{"n":{${priority},"x":1}}`,
      '{"n/y":2}',
    ])
  }
})

test('DocumentCutter does not cut a value that is shorter than a part', () => {
  const record = '{"x":"0123456789","y":{"z":1}}'
  const document = `{"a":[${record},${record},${record},${record}],"b":${record}}`
  expect(cut(document, { partLength: 40 }).parts).toEqual([
    `{"a":[${record},${record}]}`,
    `{"a/2":${record},"a/3":${record}}`,
    `{"b":${record}}`,
  ])
})

test('DocumentCutter does not cut behind what may come to nothing', () => {
  expect(
    cut('{"a": {".priority": 1, "x": null, "y": [], "z": 2, "w": 3}}', { partLength: 1 }).parts,
  ).toEqual(['{"a":{".priority":1,"x":null,"y":[],"z":2}}', '{"a/w":3}'])
})

test('DocumentCutter keeps a priority and a server value in one piece', () => {
  const document = '[1, {".value": 2, ".priority": 3}, {".sv": {"increment": 4}}, 5]'
  expect(cut(document, { partLength: 1 }).parts).toEqual([
    '[1]',
    '{"1":{".value":2,".priority":3}}',
    '{"2":{".sv":{"increment":4}}}',
    '{"3":5}',
  ])
})

test('DocumentCutter cuts between values that all have a priority, and between server values', () => {
  const ranked = '[{".value": 1, ".priority": 2}, {".value": 3, ".priority": 4}]'
  expect(cut(ranked, { partLength: 1 }).parts).toEqual([
    '[{".value":1,".priority":2}]',
    '{"1":{".value":3,".priority":4}}',
  ])
  const times = '[{".sv": "timestamp"}, {".sv": "timestamp"}]'
  expect(cut(times, { partLength: 1 }).parts).toEqual([
    '[{".sv":"timestamp"}]',
    '{"1":{".sv":"timestamp"}}',
  ])
})

test('DocumentCutter does not cut behind what a repeated name has made nothing of', () => {
  for (const nothing of ['null', '{}', '[]']) {
    const document = `{"n":{"x":1,"x":${nothing},".priority":2,"z":3,"w":4}}`
    expect(cut(document, { partLength: 16 }).parts).toEqual([
      `{"n":{"x":1,"x":${nothing},".priority":2,"z":3}}`,
      '{"n/w":4}',
    ])
  }
})

test('DocumentCutter begins a part with a member that repeats a name', () => {
  expect(cut('{"a": {"x": 1, "y": 2}, "a": 3, "a": 4}', { partLength: 12 }).parts).toEqual([
    '{"a":{"x":1,"y":2}}',
    '{"a":3}',
    '{"a":4}',
  ])
  expect(cut('{"a": {"x": "01234", "y": 2}, "a": 3}', { partLength: 10 }).parts).toEqual([
    '{"a":{"x":"01234"}}',
    '{"a/y":2}',
    '{"a":3}',
  ])
})

test('DocumentCutter writes an update from the first part on when it is to merge', () => {
  expect(cut('{"a": {"x": 1, "y": 2}, "b": 3}', { merge: true }).parts).toEqual([
    '{"a":{"x":1,"y":2},"b":3}',
  ])
  expect(cut('{"a": {"x": 1, "y": 2}, "b": 3}', { merge: true, partLength: 1 }).parts).toEqual([
    '{"a":{"x":1}}',
    '{"a/y":2}',
    '{"b":3}',
  ])
})

test('DocumentCutter begins with the member to resume from', () => {
  const document = '{"a": {"x": 1, "y": [1, 2], "z": 3}, "b": 4}'
  expect(cut(document, { resumeFrom: ['a', 'y', '1'] }).parts).toEqual([
    '{"a/y/1":2,"a/z":3,"b":4}',
  ])
  expect(cut(document, { resumeFrom: ['b'] }).parts).toEqual(['{"b":4}'])
})

test('DocumentCutter makes keys of names, but leaves reserved ones alone', () => {
  const toKey = (name: string): string => name.replaceAll('.', '%2E')
  expect(cut('{"4.4": {".priority": 1, "x": 2}, "y": 3}', { toKey, partLength: 1 })).toEqual({
    parts: ['{"4%2E4":{".priority":1,"x":2}}', '{"y":3}'],
    next: ['/y'],
  })
})

test('DocumentCutter takes a document that is a leaf', () => {
  expect(cut('"text"', { partLength: 1 }).parts).toEqual(['"text"'])
})
