import { describe, expect, test } from 'vitest'
import { checkIndexDefinitions, indexesAt } from './index-definitions.ts'
import { MemoryTreeStore } from './memory-store.ts'
import { parseJson } from './parse.ts'
import { parsePath } from './path.ts'

const names = (path: string, definitions: Record<string, string[]>) =>
  indexesAt(checkIndexDefinitions(definitions), parsePath(path)).map(({ field }) => field.name)

describe('checkIndexDefinitions()', () => {
  test('gives places and fields one spelling, and each index once', () => {
    const found = checkIndexDefinitions({
      'rooms/$room/': ['time', '/at//city'],
      '/rooms/*': ['time', '$value'],
    })
    expect(found.map(({ place, field }) => `${place} ${field.name}`)).toEqual([
      '/rooms/* time',
      '/rooms/* at/city',
      '/rooms/* $value',
    ])
  })

  test('refuses what is no index', () => {
    expect(() => checkIndexDefinitions({ '/a': 'b' as never })).toThrow(TypeError)
    expect(() => checkIndexDefinitions({ '/a': [1 as never] })).toThrow(TypeError)
    expect(() => checkIndexDefinitions({ '/a': ['$key'] })).toThrow(RangeError)
    expect(() => checkIndexDefinitions({ '/a.b': ['c'] })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_PATH' }),
    )
    expect(() => checkIndexDefinitions({ '/a': [''] })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_PATH' }),
    )
    const many = Array.from({ length: 1001 }, (_, index) => `f${index}`)
    expect(() => checkIndexDefinitions({ '/a': many })).toThrow(RangeError)
  })
})

test('a place and a field with spaces are told from others', () => {
  const found = checkIndexDefinitions({ '/a': ['b c'], '/a b': ['c'] })
  expect(found.map(({ place, field }) => [place, field.name])).toEqual([
    ['/a', 'b c'],
    ['/a b', 'c'],
  ])
})

test('indexesAt() finds those of all places that fit', () => {
  const definitions = { '/': ['r'], '/rooms/*': ['time'], '/rooms/lobby': ['$value'] }
  expect(names('/', definitions)).toEqual(['r'])
  expect(names('/rooms', definitions)).toEqual([])
  expect(names('/rooms/kitchen', definitions)).toEqual(['time'])
  expect(names('/rooms/lobby', definitions)).toEqual(['time', '$value'])
  expect(names('/rooms/lobby/x', definitions)).toEqual([])
})

describe('a query of a store in memory', () => {
  const users = parsePath('/users')
  const write = {
    pairs: [{ path: users, value: parseJson('{"ada":{"age":36},"bob":{"age":41}}') }],
  }
  const missing = expect.objectContaining({
    code: 'ERR_INDEX_NOT_DEFINED',
    path: '/users',
    index: 'age',
  })

  test('needs an index of its place', async () => {
    await using store = new MemoryTreeStore({ indexes: { '/users': ['age'], '/': ['users'] } })
    store.commit([write])
    using snapshot = store.snapshot()
    expect(snapshot.query(users, { orderBy: 'age' }).count()).toBe(2)
    expect(() => snapshot.query(users, { orderBy: '$value' })).toThrow(
      expect.objectContaining({ code: 'ERR_INDEX_NOT_DEFINED', index: '$value' }),
    )
    expect(() => snapshot.query(parsePath('/users/ada'), { orderBy: 'age' })).toThrow(
      expect.objectContaining({ code: 'ERR_INDEX_NOT_DEFINED', path: '/users/ada' }),
    )
  })

  test('needs none by key and by priority, until a condition looks at values', async () => {
    await using store = new MemoryTreeStore()
    store.commit([write])
    using snapshot = store.snapshot()
    expect(snapshot.query(users, { orderBy: '$key' }).count()).toBe(2)
    expect(snapshot.query(users, { orderBy: '$priority' }).count()).toBe(2)
    const where = [{ field: 'age', op: '>', value: 40 } as const]
    expect(() => snapshot.query(users, { orderBy: '$key', where })).toThrow(missing)
    const ada = [{ field: '$key', op: '==', value: 'ada' } as const, ...where]
    expect(snapshot.query(users, { orderBy: '$key', where: ada }).count()).toBe(0)
  })

  test('needs another condition or order beside one that no index finds anything by', async () => {
    await using store = new MemoryTreeStore({ indexes: { '/users': ['age'] } })
    store.commit([write])
    using snapshot = store.snapshot()
    const where = [{ field: 'age', op: '!=', value: 36 } as const]
    expect(() => snapshot.query(users, { orderBy: '$key', where })).toThrow(
      expect.objectContaining({ code: 'ERR_INDEX_NOT_DEFINED', path: '/users', index: undefined }),
    )
    expect(snapshot.query(users, { orderBy: 'age', where }).count()).toBe(1)
    const both = [...where, { field: 'age', op: '>', value: 0 } as const]
    expect(snapshot.query(users, { orderBy: '$key', where: both }).count()).toBe(1)
  })

  test('is served by the index of one condition, and the others filter', async () => {
    await using store = new MemoryTreeStore({ indexes: { '/users': ['age'] } })
    store.commit([write])
    using snapshot = store.snapshot()
    const where = [
      { field: 'age', op: '>', value: 0 } as const,
      { field: 'name', op: '==', value: null } as const,
    ]
    expect(snapshot.query(users, { orderBy: '$key', where }).count()).toBe(2)
  })

  test('does without where the store says so', async () => {
    await using store = new MemoryTreeStore({ requireIndexes: false })
    store.commit([write])
    using snapshot = store.snapshot()
    expect(snapshot.query(users, { orderBy: 'age', limitToLast: 1 }).count()).toBe(1)
  })

  test('ends with its snapshot', async () => {
    await using store = new MemoryTreeStore()
    store.commit([write])
    const snapshot = store.snapshot()
    const result = snapshot.query(users, { orderBy: '$key' })
    snapshot.close()
    expect(() => result.count()).toThrow(expect.objectContaining({ code: 'ERR_STORE_CLOSED' }))
    expect(() => [...result.entries()]).toThrow(
      expect.objectContaining({ code: 'ERR_STORE_CLOSED' }),
    )
  })
})
