import { TreeValue, parsePath } from '@elkyn/tree'
import { expect, test } from 'vitest'
import type { Passed } from './leaf-row.ts'
import { ROOT_NAME, TOP_HEAD, entryPath, findPlace } from './place.ts'
import type { EntryLookup, HeadMap } from './place.ts'

const row = TreeValue.fromCanonical('{"c":{"d":1}}', 'plain')

/** `/` and `/a` are heads; `/a/b` is a row, `/x` too. */
const entries = new Map<string, Passed>([
  [`${TOP_HEAD}/${ROOT_NAME}`, 1],
  ['1/a', 2],
  ['1/x', row],
  ['2/b', row],
])

/** Entries of which nothing is read but on the way to others. */
function lookup(passed: EntryLookup['passed']): EntryLookup {
  return { entry: () => expect.unreachable(), passed }
}

function find(path: string, heads: HeadMap = new Map()) {
  const lookups: string[] = []
  const source = lookup((head, name) => {
    lookups.push(`${head}/${name}`)
    return entries.get(`${head}/${name}`)
  })
  const place = findPlace(parsePath(path), heads, source)
  return { place, lookups, heads }
}

test('the walk ends at the root itself without a lookup', () => {
  const { place, lookups } = find('/')
  expect(place).toEqual({ head: TOP_HEAD, name: ROOT_NAME, rest: '', entry: undefined })
  expect(lookups).toEqual([])
})

test('the walk takes one lookup a head and none for the entry itself', () => {
  const { place, lookups, heads } = find('/a/b')
  expect(place).toEqual({ head: 2, name: 'b', rest: '', entry: undefined })
  expect(lookups).toEqual([`${TOP_HEAD}/${ROOT_NAME}`, '1/a'])
  expect([...heads]).toEqual([
    ['', 1],
    ['/a', 2],
  ])
})

test('the walk ends at the row that holds the rest of the way', () => {
  const { place } = find('/a/b/c/d')
  expect(place).toEqual({ head: 2, name: 'b', rest: 'c/d', entry: row })
  expect(entryPath(parsePath('/a/b/c/d'), place)).toBe('/a/b')
})

test('the walk ends at the first name that is missing', () => {
  const { place } = find('/a/none/c')
  expect(place).toEqual({ head: 2, name: 'none', rest: 'c', entry: null })
  expect(entryPath(parsePath('/a/none/c'), place)).toBe('/a/none')
})

test('the walk begins at the deepest head that is known', () => {
  const heads = new Map([
    ['', 1],
    ['/a', 2],
  ])
  expect(find('/a/b', heads).lookups).toEqual([])
  expect(find('/a/b/c', heads).lookups).toEqual(['2/b'])
  expect(find('/x/c', heads).lookups).toEqual(['1/x'])
  expect(find('/x', heads).lookups).toEqual([])
})

test('the root may be a row or nothing', () => {
  const nothing = findPlace(
    parsePath('/a/b'),
    new Map(),
    lookup(() => undefined),
  )
  expect(nothing).toEqual({ head: TOP_HEAD, name: ROOT_NAME, rest: 'a/b', entry: null })
  expect(entryPath(parsePath('/a/b'), nothing)).toBe('/')
  const leaf = findPlace(
    parsePath('/a'),
    new Map(),
    lookup(() => row),
  )
  expect(leaf).toEqual({ head: TOP_HEAD, name: ROOT_NAME, rest: 'a', entry: row })
})

test('no more than a bounded number of heads is remembered', () => {
  const heads: HeadMap = new Map()
  const endless = lookup((head) => head + 1)
  for (let index = 0; index < 60_000; index++) {
    findPlace(parsePath(`/k${index}/a/b`), heads, endless)
  }
  expect(heads.size).toBeLessThanOrEqual(100_000)
  expect(heads.size).toBeGreaterThan(1000)
})

test('heads of long paths are found, and not remembered', () => {
  const key = 'k'.repeat(700)
  const heads: HeadMap = new Map()
  const long = parsePath(`/${key}/${key}/leaf`)
  const source = lookup((head) => head + 1)
  expect(findPlace(long, heads, source)).toMatchObject({ head: 3, name: 'leaf', rest: '' })
  expect([...heads.keys()]).toEqual(['', `/${key}`])
  expect(findPlace(long, heads, source)).toMatchObject({ head: 3, name: 'leaf', rest: '' })
})
