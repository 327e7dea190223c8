import process from 'node:process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { describeTreeStore, runModel } from './conformance.ts'
import { fromJson } from './from-json.ts'
import { MemoryTreeStore } from './memory-store.ts'
import { ServerValue } from './node.ts'
import { parsePath, rootPath } from './path.ts'
import type { Change, TreeStore } from './store.ts'

describeTreeStore('MemoryTreeStore', async () => new MemoryTreeStore(), { describe, test, expect })

const anyKey = fc.constantFrom('a', 'b', 'c', '10', '2')
const names = fc.array(anyKey, { maxLength: 4 })
const leaf = fc.oneof(fc.integer(), fc.boolean(), fc.constantFrom('', 'text'))
const { json: anyJson } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    fc.oneof(leaf, fc.constant(null)),
    fc.dictionary(anyKey, tie('json'), { maxKeys: 4 }),
  ),
}))

/** Each leaf of a JSON value by its path, which is all that a tree holds of it. */
function leavesOf(json: unknown, path: string, leaves = new Map<string, unknown>()) {
  if (typeof json !== 'object') return leaves.set(path, json)
  for (const [key, value] of Object.entries(json ?? {})) leavesOf(value, `${path}/${key}`, leaves)
  return leaves
}

test('MemoryTreeStore holds the leaves that were written last', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(names, anyJson), { maxLength: 20 }), (writes) => {
      const store = new MemoryTreeStore()
      const model = new Map<string, unknown>()
      for (const [keys, json] of writes) {
        const path = keys.map((key) => `/${key}`).join('')
        store.commit([{ pairs: [{ path: parsePath(path || '/'), value: fromJson(json) }] }])
        const written = leavesOf(json, path)
        for (const place of model.keys()) {
          const isBelow = `${place}/`.startsWith(`${path}/`)
          // A leaf gives way to what is put below it, and stays where nothing is.
          const isAbove = written.size > 0 && `${path}/`.startsWith(`${place}/`)
          if (isBelow || isAbove) model.delete(place)
        }
        for (const [place, value] of written) model.set(place, value)
        const exported = JSON.parse(store.snapshot().get(rootPath).toText('export')) as unknown
        const byPath = (leaves: Map<string, unknown>) => Object.fromEntries(leaves)
        expect(byPath(leavesOf(exported, ''))).toEqual(byPath(model))
      }
    }),
  )
})

test('runModel() names the seed and the difference', async () => {
  const model = new MemoryTreeStore()
  const forgetful = new Proxy(model, {
    get(target, name) {
      const commit: TreeStore['commit'] = (writes) =>
        target.commit(writes.map((write) => ({ ...write, pairs: write.pairs.slice(0, 1) })))
      const member: unknown = name === 'commit' ? commit : Reflect.get(target, name)
      return typeof member === 'function' ? (member as () => unknown).bind(target) : member
    },
  })
  await expect(runModel(forgetful, { seed: 4 })).rejects.toThrow(/^Step \d+ of seed 4: /)
})

test('MemoryTreeStore takes its time from the clock it is given', () => {
  const store = new MemoryTreeStore({ now: () => 1234 })
  const [outcome] = store.commit([{ pairs: [{ path: rootPath, value: new ServerValue() }] }])
  expect(outcome).toMatchObject({ ok: true, time: 1234 })
  expect(store.snapshot().get(rootPath).node).toBe(1234)
})

test('a first write that comes again from a client that was forgotten is refused', () => {
  const store = new MemoryTreeStore()
  const write = (client: string, number: number): unknown => {
    const idempotencyKey = { client, number, fingerprint: 'f' }
    const [outcome] = store.commit([{ pairs: [{ path: rootPath, value: client }], idempotencyKey }])
    return outcome?.ok === false ? Reflect.get(outcome.error, 'code') : undefined
  }
  // The last 10,000 are remembered.
  for (let index = 0; index <= 10_000; index++) expect(write(`client${index}`, 1)).toBe(undefined)
  expect(write('client0', 1)).toBe('ERR_OUTCOME_UNKNOWN')
  expect(write('client1', 1)).toBe(undefined)
  expect(write('client1', 2)).toBe(undefined)
})

test('changes of two stores have different ids', () => {
  const ids = [new MemoryTreeStore(), new MemoryTreeStore()].map((store) => {
    const heard: Change[] = []
    store.subscribe((changes) => heard.push(...changes))
    store.commit([{ pairs: [{ path: parsePath('a'), value: 1 }] }])
    return heard[0]?.id
  })
  expect(new Set(ids).size).toBe(2)
})

test('a value that another store staged is refused', () => {
  const store = new MemoryTreeStore()
  const [outcome] = store.commit([{ pairs: [{ path: rootPath, value: { staged: 'elsewhere' } }] }])
  expect(outcome).toMatchObject({ ok: false, error: { name: 'TypeError' } })
})

test('what a listener throws is not lost, and harms nobody', async () => {
  const store = new MemoryTreeStore()
  const error = new Error('a listener failed')
  store.subscribe(() => {
    throw error
  })
  const heard: number[] = []
  store.subscribe((changes) => heard.push(...changes.map(({ sequence }) => sequence)))
  const uncaught = new Promise((resolve) => process.once('uncaughtException', resolve))
  const [outcome] = store.commit([{ pairs: [{ path: rootPath, value: 1 }] }])
  expect(outcome?.ok).toBe(true)
  expect(heard).toEqual([1])
  expect(await uncaught).toBe(error)
})

test('MemoryTreeStore keeps as many changes as it is told', () => {
  const store = new MemoryTreeStore({ maxLoggedChanges: 2 })
  for (let value = 1; value <= 9; value++) {
    store.commit([{ pairs: [{ path: parsePath('a'), value }] }])
    const kept = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].filter((number) => store.idOf(number) !== undefined)
    expect(kept).toEqual(value <= 2 ? [0, 1, 2].slice(0, value + 1) : [value - 1, value])
    for (const sequence of kept) {
      const changes = [...store.changesFrom(store.idOf(sequence)!)]
      expect(changes[0]?.sequence).toBe(sequence)
      expect(changes.at(-1)?.sequence).toBe(value)
      expect(changes.length).toBe(value - sequence + 1)
    }
  }
})

test('MemoryTreeStore keeps changes of as many bytes as it is told, and the newest one in any case', () => {
  const store = new MemoryTreeStore({ maxLoggedBytes: 25_000 })
  const kept = (): number[] =>
    [0, 1, 2, 3, 4, 5, 6].filter((number) => store.idOf(number) !== undefined)
  const set = (length: number): void => {
    store.commit([{ pairs: [{ path: parsePath('a'), value: 'x'.repeat(length) }] }])
  }
  for (const length of [10_000, 10_001]) set(length)
  expect(kept()).toEqual([0, 1, 2])
  set(10_002)
  expect(kept()).toEqual([2, 3])
  expect([...store.changesFrom(store.idOf(2)!)].map(({ sequence }) => sequence)).toEqual([2, 3])
  set(100_000)
  expect(kept()).toEqual([4])
  set(1)
  expect(kept()).toEqual([5])
  set(2)
  expect(kept()).toEqual([5, 6])
})
