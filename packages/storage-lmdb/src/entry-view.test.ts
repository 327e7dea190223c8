import { fromJson, parsePath } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { Head, encodeEntry, entryMaxBytes } from './entry.ts'
import type { Entry } from './entry.ts'
import { EntryView } from './entry-view.ts'
import { decodePassed } from './leaf-row.ts'
import { ROOT_NAME } from './place.ts'

const long = 'é'.repeat(5000)

const entries: Readonly<Record<string, Entry>> = {
  [ROOT_NAME]: new Head(1, long),
  head: new Head(2, null),
  text: fromJson(long),
  ranked: fromJson({ '.value': long, '.priority': 1 }),
  row: fromJson({ a: 1, b: { c: long } }),
  rankedRow: fromJson({ a: { '.value': 1, '.priority': long } }),
  list: fromJson([long, 1]),
  number: fromJson(1),
}
test('what lies at a path is told without reading a long text there', () => {
  const source = {
    entry: () => expect.unreachable(),
    passed(_: number, name: string) {
      const entry = entries[name]
      if (entry === undefined) return undefined
      const bytes = new Uint8Array(entryMaxBytes(entry))
      return decodePassed(bytes, encodeEntry(entry, bytes, 0))
    },
    names: () => expect.unreachable(),
  }
  const view = new EntryView(source, new Map())
  const kinds = {
    '/': 'branch',
    '/head': 'branch',
    '/text': 'leaf',
    '/text/below': 'none',
    '/ranked': 'leaf',
    '/ranked/below': 'none',
    '/row': 'branch',
    '/row/a': 'leaf',
    '/row/b': 'branch',
    '/row/b/c': 'leaf',
    '/row/b/c/d': 'none',
    '/rankedRow': 'branch',
    '/rankedRow/a': 'leaf',
    '/list': 'branch',
    '/list/1': 'leaf',
    '/number': 'leaf',
    '/number/below': 'none',
    '/nothing': 'none',
    '/nothing/below': 'none',
  }
  const told = Object.keys(kinds).map((path) => [path, view.kind(parsePath(path))])
  expect(Object.fromEntries(told)).toEqual(kinds)
})
