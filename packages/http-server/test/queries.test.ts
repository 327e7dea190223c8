import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openTree } from '@elkyn/storage-lmdb'
import type { Tree } from '@elkyn/storage-lmdb'
import { MemoryTreeStore, compareKeys, fromJson, parsePath } from '@elkyn/tree'
import type { TreeStore } from '@elkyn/tree'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createRequestHandler } from '../src/index.ts'
import type { HttpResponse } from '../src/index.ts'

// What a query keeps, as the specification says it in a table, against what servers answer.

type Value = string | number | boolean | null | { readonly z: number }

interface Bound {
  readonly value: Value
  readonly key?: string
}

interface Asked {
  readonly orderBy: '$key' | '$value' | 'f'
  readonly bounds: Readonly<
    Partial<Record<'startAt' | 'startAfter' | 'endAt' | 'endBefore' | 'equalTo', Bound>>
  >
  readonly limit: readonly ['limitToFirst' | 'limitToLast', number] | undefined
}

const indexes = { '/q': ['$value', 'f'] }

let path: string
let tree: Tree
let stores: readonly (readonly [name: string, store: TreeStore])[]

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'elkyn-queries-'))
  // So small a limit that most places have an index to be asked, and some are rows.
  tree = await openTree({ path, indexes, durability: 'relaxed', rowMaxBytes: 64 })
  stores = [
    ['memory', new MemoryTreeStore({ indexes })],
    ['LMDB', tree.store],
  ]
})
afterAll(async () => {
  await tree.close()
  await rm(path, { recursive: true })
})

const ranks = ['null', 'false', 'true', 'number', 'string', 'object']

function rank(value: Value): number {
  return ranks.indexOf(typeof value === 'boolean' || value === null ? String(value) : typeof value)
}

function compare(a: Value, b: Value): number {
  const difference = rank(a) - rank(b)
  if (difference !== 0 || typeof a === 'object' || a === b) return difference
  return (a as string) < (b as string) ? -1 : 1
}

/** The children that are kept, in order. */
function kept(children: Readonly<Record<string, Value>>, asked: Asked): string[] {
  const { orderBy, bounds, limit } = asked
  const valueOf = (key: string): Value => (orderBy === '$key' ? key : (children[key] as Value))
  const order = (a: Value, b: Value): number =>
    orderBy === '$key' ? compareKeys(a as string, b as string) : compare(a, b)
  const byValueAndKey = (key: string, bound: Bound): number => {
    const difference = order(valueOf(key), bound.value)
    return difference !== 0 || bound.key === undefined ? difference : compareKeys(key, bound.key)
  }
  const tests: Readonly<Record<keyof Asked['bounds'], (difference: number) => boolean>> = {
    startAt: (difference) => difference >= 0,
    startAfter: (difference) => difference > 0,
    endAt: (difference) => difference <= 0,
    endBefore: (difference) => difference < 0,
    equalTo: (difference) => difference === 0,
  }
  const all = Object.keys(children)
    .filter((key) =>
      Object.entries(bounds).every(([name, bound]) =>
        tests[name as keyof typeof tests](byValueAndKey(key, bound)),
      ),
    )
    .toSorted((a, b) => order(valueOf(a), valueOf(b)) || compareKeys(a, b))
  if (limit === undefined) return all
  return limit[0] === 'limitToFirst' ? all.slice(0, limit[1]) : all.slice(-limit[1])
}

function queryOf({ orderBy, bounds, limit }: Asked): string {
  const parameters = new URLSearchParams({ orderBy: JSON.stringify(orderBy), format: 'export' })
  for (const [name, { value, key }] of Object.entries(bounds)) {
    const text = key === undefined ? '' : `,${JSON.stringify(key)}`
    parameters.set(name, JSON.stringify(value) + text)
  }
  if (limit !== undefined) parameters.set(limit[0], String(limit[1]))
  return parameters.toString()
}

// None with a quotation mark or backslash: `JSON.parse` of V8 reads some of those wrong.
const key = fc.oneof(
  fc.constantFrom('a', 'b', 'c', 'aa', '1', '01', '2', '10', '-1', '-0', 'é', '😀', '\uffff'),
  fc.string({
    unit: fc.constantFrom('a', 'é', '1', ' ', ','),
    minLength: 1,
    maxLength: 4,
  }),
)
const leaf = fc.oneof(
  fc.constantFrom<Value>('a', 'b', '', 'a,"b', 'é', '😀', '\uffff', 0, -1, 1.5, 10, true, false),
  fc.string({ maxLength: 3 }).filter((text) => text.isWellFormed()),
  fc.integer(),
  fc.constant<Value>('x'.repeat(600)),
)
const child = fc.oneof({ weight: 5, arbitrary: leaf }, fc.constant<Value>({ z: 1 }))
const boundKey = fc.option(key, { nil: undefined })
// Also what no key can be: a bound is only compared.
const anyText = fc.oneof(key, fc.constantFrom('', 'a.b', 'a/b', '$', 'x'.repeat(2000)))

const asked: fc.Arbitrary<Asked> = fc.constantFrom('$key', '$value', 'f').chain((orderBy) => {
  const bound: fc.Arbitrary<Bound> =
    orderBy === '$key'
      ? anyText.map((value) => ({ value }))
      : fc
          .tuple(fc.oneof(leaf, fc.constant(null)), boundKey)
          .map(([value, tie]) => (tie === undefined ? { value } : { value, key: tie }))
  const range = fc
    .tuple(
      fc.constantFrom('startAt' as const, 'startAfter' as const, undefined),
      fc.constantFrom('endAt' as const, 'endBefore' as const, undefined),
      bound,
      bound,
    )
    .map(([start, end, from, to]): Asked['bounds'] => {
      const bounds = new Map<string, Bound>()
      if (start !== undefined) bounds.set(start, from)
      if (end !== undefined) bounds.set(end, to)
      return Object.fromEntries(bounds)
    })
  const limits = fc.option(
    fc.tuple(
      fc.constantFrom('limitToFirst' as const, 'limitToLast' as const),
      fc.integer({ min: 1, max: 8 }),
    ),
    { nil: undefined },
  )
  return fc
    .tuple(
      fc.oneof(
        range,
        bound.map((equalTo) => ({ equalTo })),
      ),
      limits,
    )
    .map(([bounds, limit]) => ({ orderBy, bounds, limit }))
})

test('queries keep what the table of the specification says, in memory and on disk', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(key, child, { maxKeys: 12 }),
      fc.array(asked, { minLength: 1, maxLength: 6 }),
      async (children, queries) => {
        for (const [name, store] of stores) {
          const handle = createRequestHandler({ store })
          const ask = async (method: string, url: string, body?: string): Promise<string> => {
            const answer = await handle({
              method,
              url,
              headers: {},
              body: body === undefined ? undefined : Buffer.from(body),
              signal: new AbortController().signal,
            })
            return `${answer.status} ${Buffer.concat(blocksOf(answer)).toString()}`
          }
          for (const query of queries) {
            const stored = Object.fromEntries(
              Object.entries(children).map(([k, value]) => [
                k,
                query.orderBy === 'f' ? { f: value, y: 'y'.repeat(40) } : value,
              ]),
            )
            await ask('PUT', '/q.json?print=silent', JSON.stringify(stored))
            const url = `/q.json?${queryOf(query)}`
            const text = await ask('GET', url)
            const keys = kept(children, query)
            const expected = Object.keys(children).length === 0 ? null : pick(stored, keys)
            expect([name, url, JSON.parse(text.slice(4))]).toEqual([name, url, expected])
            const count = await ask('GET', `${url}&count=true`)
            expect([name, url, count]).toEqual([name, url, `200 ${keys.length}`])
            if (query.limit?.[0] === 'limitToLast') continue
            const page = await ask('GET', `${url}&cursor=${query.limit ? '' : '&limitToFirst=20'}`)
            const found = JSON.parse(page.slice(4)) as Page | null
            const paged = found?.children.map((entry) => entry.key) ?? null
            expect([name, url, paged]).toEqual([name, url, expected === null ? null : keys])
          }
        }
      },
    ),
  )
})

const anyValue = fc.oneof(
  fc.constantFrom(
    '"$key"',
    '"$value"',
    '"$priority"',
    '"f"',
    '"a/b"',
    '1',
    '"x"',
    '{}',
    'true',
    '',
  ),
  fc.constantFrom(
    '{"f":1}',
    '{"f":{">":"a"}}',
    '{"$key":1}',
    '{"":1}',
    '[[1]]',
    'null',
    '1,"a"',
    '-0',
  ),
  fc.string({
    unit: fc.constantFrom('"', ',', '{', '}', ':', '1', 'a', '\\', 'u', '.', '/'),
    maxLength: 8,
  }),
  fc.json({ maxDepth: 2 }),
  fc.string({ unit: 'binary', maxLength: 6 }),
)
const anyName = fc.constantFrom(
  ...(
    'orderBy limitToFirst limitToLast startAt startAfter endAt endBefore equalTo where count ' +
    'cursor reverse shallow format print callback download timeout'
  ).split(' '),
)

test('no query is a fault of the server, whatever is in it', async () => {
  const faults: unknown[] = []
  for (const [, store] of stores) {
    const value = fromJson({ a: { f: 1 }, b: 'x', c: { f: 'y', z: 'z'.repeat(100) }, 3: true })
    await store.write({ pairs: [{ path: parsePath('/q'), value }] })
  }
  const log = { error: (fields: object) => faults.push(fields), warn: () => {} }
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(anyName, anyValue, { maxKeys: 5 }),
      fc.constantFrom('/q.json', '/q/a.json', '/none', '/.json', '/q/.priority.json'),
      async (parameters, place) => {
        for (const [, store] of stores) {
          const answer = await createRequestHandler({ store, log })({
            method: 'GET',
            url: `${place}?${new URLSearchParams({ orderBy: '"$key"', ...parameters }).toString()}`,
            headers: {},
            body: undefined,
            signal: new AbortController().signal,
          })
          Buffer.concat(blocksOf(answer))
          expect([answer.status < 500, faults]).toEqual([true, []])
        }
      },
    ),
  )
})

function blocksOf({ body = [] }: HttpResponse): Uint8Array[] {
  return body instanceof Uint8Array ? [body] : [...body]
}

interface Page {
  readonly children: readonly { readonly key: string }[]
}

function pick(stored: Readonly<Record<string, unknown>>, keys: readonly string[]): unknown {
  return Object.fromEntries(keys.map((name) => [name, stored[name]]))
}
