import { setImmediate } from 'node:timers/promises'
import {
  MemoryTreeStore,
  TreeError,
  checkIndexDefinitions,
  childPath,
  indexesAt,
  joinPath,
  parsePath,
  rootPath,
} from '@elkyn/tree'
import type {
  IndexDefinitions,
  Path,
  QueryResult,
  TreeQuery,
  TreeSnapshot,
  TreeStore,
} from '@elkyn/tree'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { LmdbTreeStore } from '../src/store.ts'
import { jsonText, key as anyKey, path as anyPath, rowMaxBytes } from './arbitraries.ts'
import { modelWrite } from './model-writes.ts'
import type { ModelWrite } from './model-writes.ts'
import { openStore } from './open-store.ts'
import { reclaimed } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'

// Both stores ask what time it is; it passes only between commits.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const field = fc.constantFrom('$value', '$priority', '0', '1', 'a', 'b', '0/a', 'a/b', 'a/0/1')

const definitions: fc.Arbitrary<IndexDefinitions> = fc.dictionary(
  fc.constantFrom('/', '/a', '/0', '/*', '/a/*', '/*/b', '/*/*', '/$x/0/$y', '/a/b/1'),
  fc.uniqueArray(field, { minLength: 1, maxLength: 4 }),
  { maxKeys: 5 },
)

/** Longer than what stands in a key, so that only rows tell them apart. */
const longText = fc
  .tuple(fc.constantFrom('x', 'é'), fc.constantFrom('', 'a', 'b', '\u0000', '\uffff', '😀'))
  .map(([unit, end]) => unit.repeat(511) + end)

const leaf = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom<(string | number | boolean | null)[]>(
      null,
      true,
      false,
      '',
      'a',
      'null',
      '😀',
      'é'.repeat(40),
    ),
  },
  { weight: 2, arbitrary: fc.integer({ min: -20, max: 20 }) },
  { weight: 1, arbitrary: longText },
)

const bound = fc.record(
  { value: leaf, key: anyKey, isExclusive: fc.boolean() },
  { requiredKeys: ['value'] },
)
const keyBound = fc.record(
  {
    value: fc.oneof(anyKey, fc.constantFrom('', 'a.b', '\u0001', 'x'.repeat(900))),
    isExclusive: fc.boolean(),
  },
  { requiredKeys: ['value'] },
)
const priorityBound = bound.filter(({ value }) => typeof value !== 'boolean')

const op = fc.constantFrom('==', '!=', '<', '<=', '>', '>=')
const condition = fc.oneof(
  fc.record({ field: field.filter((name) => name !== '$priority'), op, value: leaf }),
  fc.record({ field: fc.constant('$key'), op, value: anyKey }),
  fc.record({
    field: fc.constant('$priority'),
    op,
    value: leaf.filter((value) => typeof value !== 'boolean'),
  }),
)

function queryBy(
  orderBy: fc.Arbitrary<string>,
  ends: fc.Arbitrary<TreeQuery['start']>,
): fc.Arbitrary<TreeQuery> {
  return fc
    .record(
      {
        orderBy,
        start: ends,
        end: ends,
        reverse: fc.boolean(),
        limit: fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 4 })),
        where: fc.array(condition, { minLength: 1, maxLength: 3 }),
        equal: fc.boolean(),
      },
      { requiredKeys: ['orderBy'] },
    )
    .map(({ limit, equal, ...rest }) => {
      const same = equal === true && rest.start !== undefined ? { end: rest.start } : {}
      const limits = limit && (limit[0] ? { limitToFirst: limit[1] } : { limitToLast: limit[1] })
      return Object.assign({}, rest, same, limits) as TreeQuery
    })
}

const query = fc.oneof(
  {
    weight: 3,
    arbitrary: queryBy(
      field.filter((name) => name !== '$priority'),
      bound,
    ),
  },
  { weight: 1, arbitrary: queryBy(fc.constant('$priority'), priorityBound) },
  { weight: 1, arbitrary: queryBy(fc.constant('$key'), keyBound) },
)

/** A large update, whose members are staged each by itself. */
const stagedUpdate = fc
  .tuple(
    anyPath,
    fc.uniqueArray(
      fc.tuple(
        anyPath.filter((path) => path !== rootPath),
        jsonText,
      ),
      { selector: ([path]) => path, minLength: 1, maxLength: 4 },
    ),
  )
  .map(([parent, members]): ModelWrite => {
    const paths = members.map(([path]) => joinPath(parent, path))
    return {
      paths,
      toString: () => `staged update ${parent} ${JSON.stringify(members)}`,
      make(store) {
        const stager = store.stage({ kind: 'update', path: parent })
        const text = members
          .map(([path, json]) => `${JSON.stringify(path.slice(1))}:${json}`)
          .join()
        try {
          stager.write(Buffer.from(`{${text}}`))
          return {
            pairs: stager.end().map(({ key, value }) => ({ path: joinPath(parent, key), value })),
          }
        } catch {
          // Paths that conflict: nothing to write.
          return { pairs: [] }
        }
      },
    }
  })

/** Values that differ behind what stands in a key. */
const longValues = fc
  .tuple(
    anyPath,
    fc.dictionary(anyKey, fc.tuple(longText, fc.boolean()), { minKeys: 2, maxKeys: 6 }),
  )
  .map(([path, texts]): ModelWrite => {
    const value = Object.fromEntries(
      Object.entries(texts).map(([key, [text, isDeep]]) => [key, isDeep ? { a: text } : text]),
    )
    const json = JSON.stringify(value)
    return {
      paths: [path],
      toString: () => `long texts at ${path}`,
      make(store) {
        const stager = store.stage({ path })
        stager.write(Buffer.from(json))
        return { pairs: stager.end().map((pair) => ({ path, value: pair.value })) }
      },
    }
  })

const write = fc.oneof(
  { weight: 8, arbitrary: modelWrite },
  { weight: 1, arbitrary: stagedUpdate },
  { weight: 1, arbitrary: longValues },
)

type Pause = 'none' | 'turn' | 'built' | 'reopen' | 'redefine' | 'reopen otherwise'

interface Step {
  readonly writes: readonly ModelWrite[]
  readonly pause: Pause
  readonly rowMaxBytes: number
  readonly definitions: IndexDefinitions
  readonly requireIndexes: boolean
  readonly queries: readonly TreeQuery[]
  readonly asked: Path
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  writes: fc.array(write, { minLength: 1, maxLength: 4 }),
  pause: fc.constantFrom<Pause[]>(
    'none',
    'none',
    'none',
    'turn',
    'built',
    'built',
    'reopen',
    'redefine',
    'reopen otherwise',
  ),
  rowMaxBytes,
  definitions,
  requireIndexes: fc.boolean(),
  queries: fc.array(query, { minLength: 1, maxLength: 4 }),
  asked: anyPath,
})

async function runSteps(steps: readonly Step[]): Promise<void> {
  using folder = temporaryFolder()
  const open = (limit: number, requireIndexes: boolean, indexes?: IndexDefinitions) =>
    openStore({
      path: folder.path,
      rowMaxBytes: limit,
      requireIndexes,
      ...(indexes && { indexes }),
    })
  await using model = new MemoryTreeStore({ requireIndexes: false })
  let store = open(steps[0]?.rowMaxBytes ?? 1, true, steps[0]?.definitions)
  try {
    for (const step of steps) {
      vi.setSystemTime(Date.now() + 1)
      commitBoth(store, model, step.writes)
      compareQueries(store, model, step)
      if (step.pause === 'turn') await setImmediate()
      if (step.pause === 'built') await store.indexesBuilt()
      if (step.pause === 'redefine') store.defineIndexes(step.definitions)
      if (step.pause.startsWith('reopen')) {
        await store.close()
        const definitionsNow = step.pause === 'reopen' ? undefined : step.definitions
        store = open(step.rowMaxBytes, step.requireIndexes, definitionsNow)
      }
      compareQueries(store, model, step)
    }
    await store.indexesBuilt()
    for (const step of steps) compareQueries(store, model, step)
    expect(store.indexes().every(({ isReady }) => isReady)).toBe(true)
    store.commit([{ pairs: [{ path: rootPath, value: null }] }])
    // What was staged and never written is buried then.
    await store.close()
    store = open(1, true)
    expect(await reclaimed(store)).toMatchObject({ rows: 0, graves: 0, indexEntries: 0 })
  } finally {
    await store.close()
  }
}

function commitBoth(store: LmdbTreeStore, model: TreeStore, writes: readonly ModelWrite[]): void {
  using before = model.snapshot()
  const actual = store.commit(writes.map((one) => one.make(store, before, [])))
  const wanted = model.commit(writes.map((one) => one.make(model, before, [])))
  expect(actual.map(({ ok }) => ok)).toEqual(wanted.map(({ ok }) => ok))
}

/** Each index that is ready has exactly the children of each place. */
function compareIndexes(store: LmdbTreeStore, actual: TreeSnapshot, wanted: TreeSnapshot): void {
  const ready: Record<string, string[]> = {}
  for (const { place, field: name, isReady } of store.indexes()) {
    if (isReady) (ready[place] ??= []).push(name)
  }
  const indexes = checkIndexDefinitions(ready)
  const paths: Path[] = [rootPath]
  for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
    for (const index of indexesAt(indexes, path)) {
      const all: TreeQuery = { orderBy: index.field.name }
      const [own, model] = [actual.query(path, all), wanted.query(path, all)]
      expect([path, all, [...own.entries()]]).toEqual([path, all, [...model.entries()]])
      expect(own.count()).toBe(model.count())
    }
    for (const name of wanted.keys(path)) paths.push(childPath(path, name))
  }
}

const places = ['/', '/a', '/0', '/a/b', '/1/b', '/a/0', '/b/0/a', '/a/b/1'].map((text) =>
  parsePath(text),
)

function compareQueries(store: LmdbTreeStore, model: TreeStore, step: Step): void {
  using actual = store.snapshot()
  using wanted = model.snapshot()
  compareIndexes(store, actual, wanted)
  const pending = new Set(store.indexes().filter(({ isReady }) => !isReady))
  const paths = new Set([...places, step.asked, ...step.writes.flatMap((one) => one.paths)])
  for (const path of paths) {
    if (path.endsWith('.priority')) continue
    for (const asked of step.queries) compareQuery(actual, wanted, path, asked, pending.size > 0)
  }
}

function compareQuery(
  actual: TreeSnapshot,
  wanted: TreeSnapshot,
  path: Path,
  asked: TreeQuery,
  isBuilding: boolean,
): void {
  const own = attempt(() => shown(actual.query(path, asked)))
  // Which of them are refused, other tests say.
  if (own === 'ERR_INDEX_NOT_DEFINED') return
  const model = attempt(() => shown(wanted.query(path, asked)))
  expect([path, asked, isBuilding, own]).toEqual([path, asked, isBuilding, model])
  const cursor = typeof model === 'string' ? undefined : model.cursor
  if (cursor !== undefined) compareQuery(actual, wanted, path, { ...asked, cursor }, isBuilding)
}

function attempt<T>(work: () => T): T | string {
  try {
    return work()
  } catch (error) {
    if (error instanceof TreeError) return error.code
    throw error
  }
}

/** What steps gave and came to, without the pauses. */
function inSteps<T, R>(steps: Generator<T, R, void>) {
  const given: T[] = []
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return { given, result: value }
    if (value !== undefined) given.push(value)
  }
}

function shown(result: QueryResult) {
  const text = (form: 'plain' | 'export') => {
    const blocks = result.jsonBlocks(form)
    return blocks && Buffer.concat([...blocks]).toString()
  }
  return {
    count: result.count(),
    entries: [...result.entries()],
    again: result.count(),
    cursor: result.cursor(),
    page: inSteps(result.pageSteps()),
    counted: inSteps(result.countSteps()),
    plain: text('plain'),
    export: text('export'),
  }
}

test('any query after any writes finds what the model finds', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 8 }), async (steps) =>
      runSteps(steps),
    ),
  )
})
