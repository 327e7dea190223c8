import { setImmediate } from 'node:timers/promises'
import {
  MemoryTreeStore,
  TreeValue,
  applyChange,
  childPath,
  parentPath,
  rootPath,
} from '@elkyn/tree'
import type { Change, KeyRange, Path, TreeSnapshot, WriteOutcome } from '@elkyn/tree'
import { runModel } from '@elkyn/tree/conformance'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { LmdbTreeStore } from '../src/store.ts'
import { keyRange, path as anyPath, rowMaxBytes } from './arbitraries.ts'
import { farWrite, modelWrite } from './model-writes.ts'
import type { ModelWrite, Seen } from './model-writes.ts'
import { openStore } from './open-store.ts'
import { reclaimed } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'

const encryptionKey = Buffer.alloc(32, 'key')

// Both stores ask what time it is; it passes only between commits.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Steps between commits that change nothing. */
type Pause = 'none' | 'turn' | 'reopen'

interface Step {
  readonly writes: readonly ModelWrite[]
  readonly pause: Pause
  readonly rowMaxBytes: number
  readonly asked: Path
  readonly range: KeyRange
}

const stepModel = {
  writes: fc.array(modelWrite, { minLength: 1, maxLength: 4 }),
  pause: fc.constantFrom<Pause>('none', 'none', 'none', 'turn', 'turn', 'reopen'),
  rowMaxBytes,
  asked: anyPath,
  range: keyRange,
}
const anyStep: fc.Arbitrary<Step> = fc.record(stepModel)

const anyFarStep: fc.Arbitrary<Step> = fc.record({
  ...stepModel,
  writes: fc.tuple(farWrite, fc.array(modelWrite, { maxLength: 2 })).map((writes) => writes.flat()),
})

async function runSteps(steps: readonly Step[], isSealed: boolean): Promise<void> {
  using folder = temporaryFolder()
  const open = (limit: number) =>
    openStore({
      path: folder.path,
      rowMaxBytes: limit,
      ...(isSealed ? { encryptionKey } : {}),
    })
  await using model = new MemoryTreeStore()
  let store = open(steps[0]?.rowMaxBytes ?? 1)
  /** Snapshots of moments before, which must stay as they were. */
  const held: [actual: TreeSnapshot, wanted: TreeSnapshot][] = []
  const release = (count: number) => {
    for (const pair of held.splice(0, count)) for (const snapshot of pair) snapshot.close()
  }
  const changes: Change[] = []
  const record = () => store.subscribe((more) => changes.push(...more))
  record()
  try {
    for (const current of steps) {
      const wanted: Change[] = []
      const stop = model.subscribe((more) => wanted.push(...more))
      const before = treeOf(model)
      changes.length = 0
      vi.setSystemTime(Date.now() + 1)
      compareCommit(store, model, current.writes)
      stop()
      compareChanges(changes, wanted)
      const after = treeOf(model)
      for (const heard of [changes, wanted]) expectLeads(before, heard, after)
      comparePaths(store, model, current)
      for (const [actual, old] of held) comparePath(actual, old, current.asked, current.range)
      held.push([store.snapshot(), model.snapshot()])
      if (held.length > 3) release(1)
      if (current.pause === 'turn') await setImmediate()
      if (current.pause === 'reopen') {
        release(3)
        await store.close()
        store = open(current.rowMaxBytes)
        record()
        comparePaths(store, model, current)
      }
    }
    for (const [actual, wanted] of held) compareEverything(actual, wanted)
    release(3)
    await store.close()
    store = open(1)
    using actual = store.snapshot()
    using wanted = model.snapshot()
    compareEverything(actual, wanted)
    actual.close()
    await store.close()
    store = open(1)
    await expectNothingBehind(store)
  } finally {
    await store.close()
  }
}

/** When the tree is deleted nothing is left, not even of what was staged and never written. */
async function expectNothingBehind(store: LmdbTreeStore): Promise<void> {
  store.commit([{ pairs: [{ path: rootPath, value: null }] }])
  expect(await reclaimed(store)).toMatchObject({ rows: 0, graves: 0 })
}

function compareCommit(
  store: LmdbTreeStore,
  model: MemoryTreeStore,
  writes: readonly ModelWrite[],
): void {
  using before = model.snapshot()
  const seen: Seen = []
  const wantedSeen: Seen = []
  const actual = store.commit(writes.map((write) => write.make(store, before, seen)))
  const wanted = model.commit(writes.map((write) => write.make(model, before, wantedSeen)))
  for (const [index, outcome] of actual.entries()) compareOutcome(outcome, wanted[index]!)
  expect(seen).toEqual(wantedSeen)
}

function compareOutcome(actual: WriteOutcome, wanted: WriteOutcome): void {
  expect(actual.ok).toBe(wanted.ok)
  if (!wanted.ok || !actual.ok) {
    if (actual.ok || wanted.ok) return
    expect(codeOf(actual.error)).toBe(codeOf(wanted.error))
    // What is large is left out.
    if (actual.current !== undefined || wanted.current === undefined) {
      expect(actual.current?.etag).toBe(wanted.current?.etag)
      expect(actual.current?.value.toText('export')).toBe(wanted.current?.value.toText('export'))
    }
    return
  }
  for (const [index, value] of actual.values.entries()) {
    if (value !== undefined) {
      expect(value.toText('export')).toBe(wanted.values[index]?.toText('export'))
    }
  }
}

function codeOf(error: Error): unknown {
  return 'code' in error ? error.code : error.message
}

function compareChanges(actual: readonly Change[], wanted: readonly Change[]): void {
  const numbers = actual.map(({ sequence }) => sequence)
  expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index))
  // A staged value counts as a change even where it is what was there before.
  expect(actual.length).toBeGreaterThanOrEqual(wanted.length)
}

function treeOf(store: MemoryTreeStore): TreeValue {
  using snapshot = store.snapshot()
  return snapshot.get(rootPath)
}

/** What was heard leads from the old tree to the new one. */
function expectLeads(before: TreeValue, changes: readonly Change[], after: TreeValue): void {
  // They do not say what was staged. The next ones begin at the new tree all the same.
  if (changes.some(({ pairs }) => pairs.some(({ value }) => value === undefined))) return
  const tree = changes.reduce(applyChange, before.node)
  expect(TreeValue.fromNode(tree).toText('export')).toBe(after.toText('export'))
}

function comparePaths(store: LmdbTreeStore, model: MemoryTreeStore, step: Step): void {
  using actual = store.snapshot()
  using wanted = model.snapshot()
  const paths = new Set<Path>()
  for (const path of [...step.writes.flatMap((write) => write.paths), step.asked]) {
    for (let up: Path | undefined = path; up !== undefined; up = parentPath(up)) paths.add(up)
    for (const name of [...wanted.keys(path)].slice(0, 3)) paths.add(childPath(path, name))
    paths.add(childPath(path, 'none'))
  }
  for (const path of paths) comparePath(actual, wanted, path, step.range)
}

function compareEverything(actual: TreeSnapshot, wanted: TreeSnapshot): void {
  const paths: Path[] = [rootPath]
  for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
    comparePath(actual, wanted, path, {})
    comparePath(actual, wanted, path, { reverse: true })
    for (const name of wanted.keys(path)) paths.push(childPath(path, name))
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

function comparePath(
  actual: TreeSnapshot,
  wanted: TreeSnapshot,
  path: Path,
  range: KeyRange,
): void {
  expect([path, actual.kind(path)]).toEqual([path, wanted.kind(path)])
  for (const form of ['plain', 'export'] as const) {
    const bytes = wanted.json(path, form)
    const text = bytes && decoder.decode(bytes)
    const own = actual.json(path, form)
    expect(own && decoder.decode(own)).toBe(text)
    const blocks = actual.jsonBlocks(path, form)
    expect(blocks && decoder.decode(Buffer.concat([...blocks]))).toBe(text)
  }
  expect(actual.get(path).toText('export')).toBe(wanted.get(path).toText('export'))
  expect(actual.etag(path)).toBe(wanted.etag(path))
  expect([...actual.keys(path, range)]).toEqual([...wanted.keys(path, range)])
}

test('any writes at any row limit give the bytes of the model', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 10 }), async (steps) =>
      runSteps(steps, false),
    ),
  )
})

test('any writes at the longest paths give the bytes of the model', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyFarStep, { minLength: 1, maxLength: 3 }), async (steps) =>
      runSteps(steps, false),
    ),
    // Few, since what is there is compared all the way down.
    { numRuns: 4 },
  )
})

test('any writes give the bytes of the model where values are sealed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 8 }), async (steps) =>
      runSteps(steps, true),
    ),
    { numRuns: 30 },
  )
})

test('the model run of the contract holds at each row limit', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), rowMaxBytes, async (seed, limit) => {
      using folder = temporaryFolder()
      const store = openStore({ path: folder.path, rowMaxBytes: limit })
      await runModel(store, { seed, steps: 25 })
      await store.close()
      await using reopened = openStore({ path: folder.path })
      await expectNothingBehind(reopened)
    }),
    { numRuns: 10 },
  )
})
