import { setImmediate } from 'node:timers/promises'
import { TreeValue, applyChange } from '@elkyn/tree'
import type { Change, TreeNode } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { openTree } from '../src/index.ts'
import type { OpenTreeOptions, Tree } from '../src/index.ts'
import { read, reclaimed } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { createBarrier } from './threads/barrier.ts'
import type { ChurnData, ChurnResult } from './threads/churn.ts'
import { runThread } from './threads/thread.ts'

/** How long the long tests go on, in minutes; a number of steps for each otherwise. */
const minutes = Number(process.env['ELKYN_TEST_MINUTES'] ?? 0)
const timeout = 120_000 + minutes * 2 * 60_000

interface Churn {
  readonly writers: number
  readonly readers: number
  readonly commits: number
  readonly minutes: number
}

/** Writers and readers at once; everything that they see and leave is checked. */
async function runChurn(
  options: OpenTreeOptions,
  { writers, readers, ...amount }: Churn,
): Promise<void> {
  await using tree = await openTree(options)
  const changes: Change[] = []
  tree.store.subscribe((more) => changes.push(...more))
  const words = new Int32Array(new SharedArrayBuffer(4 * (1 + writers)))
  const data: Omit<ChurnData, 'writer'> = {
    options,
    words,
    barrier: createBarrier(writers + readers),
    writers,
    commits: amount.commits,
    deadline: Date.now() + amount.minutes * 60_000,
  }
  const writing = Array.from({ length: writers }, (_, writer) =>
    runThread<ChurnResult>('churn-writer', { ...data, writer }),
  )
  const reading = Array.from({ length: readers }, () => runThread<number>('churn-reader', data))
  const reads = Promise.all(reading.map(async (thread) => thread.message()))
  const ended = Promise.all([...writing, ...reading].map(async (thread) => thread.ended()))
  const results = await Promise.all(writing.map(async (thread) => thread.message())).finally(() => {
    Atomics.store(words, 0, 1)
  })
  expect(Math.min(...(await reads))).toBeGreaterThan(0)
  await ended
  await checkChurn(tree, results, changes)
}

async function checkChurn(
  tree: Tree,
  results: readonly ChurnResult[],
  changes: readonly Change[],
): Promise<void> {
  const numbers = results.flatMap(({ sequences }) => sequences).toSorted((a, b) => a - b)
  expect(numbers).toEqual(numbers.map((_, index) => index + 1))
  expect(tree.get('/commits')).toBe(results.reduce((sum, { version }) => sum + version, 0))
  while (changes.length < numbers.length) await setImmediate()
  expect(changes.map(({ sequence }) => sequence)).toEqual(numbers)
  let replayed: TreeNode | null = null
  for (const change of changes) replayed = applyChange(replayed, change)
  expect(TreeValue.fromNode(replayed).text).toBe(read(tree.store, '/'))
  tree.deleteSync('/')
  expect(await reclaimed(tree)).toMatchObject({ rows: 0, graves: 0 })
}

test(
  'threads that read and write at once see whole commits, in order, none too late',
  async () => {
    using folder = temporaryFolder()
    const options = { path: folder.path, durability: 'relaxed', rowMaxBytes: 400 } as const
    await runChurn(options, { writers: 3, readers: 3, commits: 120, minutes })
  },
  timeout,
)

test(
  'threads that read and write sealed values at once stay correct',
  async () => {
    using folder = temporaryFolder()
    const encryptionKey = Buffer.alloc(32, 'key')
    const options = { path: folder.path, durability: 'relaxed', encryptionKey } as const
    await runChurn(options, { writers: 2, readers: 4, commits: 30, minutes })
  },
  timeout,
)

test('threads that write durably at once wait for each other', async () => {
  using folder = temporaryFolder()
  await runChurn({ path: folder.path }, { writers: 4, readers: 1, commits: 20, minutes: 0 })
})

test('threads that change a large value on the condition that nobody else has lose nothing', async () => {
  using folder = temporaryFolder()
  const options: OpenTreeOptions = { path: folder.path, durability: 'relaxed' }
  await using tree = await openTree(options)
  const list = Array.from({ length: 3000 }, (_, index) => `item ${index} of a long list`)
  tree.setSync('/large', { number: 0, list })
  const data = { options, attempts: 90 }
  const threads = [1, 2, 3].map(() => runThread<number>('compare-and-set', data))
  const successes = await Promise.all(threads.map(async (thread) => thread.message()))
  for (const thread of threads) await thread.ended()
  const total = successes.reduce((sum, count) => sum + count, 0)
  expect(total).toBeGreaterThan(0)
  expect(tree.get('/large/number')).toBe(total)
  expect(tree.get('/large/list')).toEqual(list)
})

test('a million renewals leave nothing on the heap', async () => {
  using folder = temporaryFolder()
  await using thread = runThread<{ grown: number; timers: number }>('renewals', {
    path: folder.path,
    renewals: 1_000_000,
  })
  const { grown, timers } = await thread.message()
  expect(grown).toBeLessThan(1_000_000)
  expect(timers).toBeLessThan(3)
})

/** Options under which nothing but snapshots keeps pages from being used again. */
function reusing(path: string): OpenTreeOptions {
  return { path, durability: 'relaxed', log: { maxBytes: 0 } }
}

/** Fills 2,000 rows. @returns what changes one of them in each of so many commits */
function fillRows(tree: Tree): (commits: number) => Promise<void> {
  for (let index = 0; index < 2000; index++)
    tree.setSync(`/rows/r${index}`, { n: index, text: 'x'.repeat(80) })
  return async (commits) => {
    for (let index = 0; index < commits; index++) {
      tree.setSync(`/rows/r${(index * 7919) % 2000}/n`, -index)
      if (index % 50 === 0) await setImmediate()
    }
  }
}

test(
  'idle readers do not make the file grow',
  async () => {
    using folder = temporaryFolder()
    const options = reusing(folder.path)
    await using tree = await openTree(options)
    const write = fillRows(tree)
    const readers = [{}, { readOnly: true }, {}].map((more) =>
      runThread<string>('idle-reader', { ...options, ...more }),
    )
    for (const reader of readers) expect(await reader.message()).toBe('idle')
    await write(500)
    const before = tree.stats().fileBytes
    await write(minutes > 0 ? minutes * 200_000 : 5000)
    // One snapshot held would have cost some ten pages a commit.
    expect(tree.stats().fileBytes - before).toBeLessThan(500 * 4096)
    for (const { worker } of readers) worker.postMessage('end')
    for (const reader of readers) await reader.ended()
  },
  timeout,
)

test('a thread that says it is idle and blocks does not make the file grow', async () => {
  using folder = temporaryFolder()
  const options = reusing(folder.path)
  await using tree = await openTree(options)
  const write = fillRows(tree)
  const word = new Int32Array(new SharedArrayBuffer(4))
  await using reader = runThread<unknown>('blocked-reader', { options, word })
  try {
    expect(await reader.message()).toBe('blocking')
    await write(500)
    const before = tree.stats().fileBytes
    await write(2000)
    expect(tree.stats().fileBytes - before).toBeLessThan(500 * 4096)
  } finally {
    Atomics.store(word, 0, 1)
    Atomics.notify(word, 0)
  }
  expect(await reader.message()).toBe(tree.get('/rows/r0/n'))
})

test('threads that write and threads that only read open a folder in any order', async () => {
  using folder = temporaryFolder()
  const { path } = folder
  await (await openTree({ path })).close()
  const barrier = createBarrier(4)
  const threads = [true, true, true, false].map((readOnly) =>
    runThread<string>('open-in-turn', { options: { path, readOnly }, barrier, rounds: 40 }),
  )
  // The first of them that fails ends the others' wait.
  const messages = await Promise.all(
    threads.map(async (thread) =>
      thread.message().catch(async (error: unknown) => {
        for (const { worker } of threads) await worker.terminate()
        throw error
      }),
    ),
  )
  expect(messages).toEqual(threads.map(() => 'done'))
})

test('read-only threads may be terminated at any moment', async () => {
  using folder = temporaryFolder()
  const options: OpenTreeOptions = {
    path: folder.path,
    durability: 'relaxed',
    log: { maxBytes: 0 },
  }
  await using tree = await openTree(options)
  const words = new Int32Array(new SharedArrayBuffer(8))
  const data = { options: { ...options, readOnly: true }, words, writers: 1 }
  for (let round = 0; round < 8; round++) {
    const reader = runThread<number>('churn-reader', data)
    await new Promise((resolve) => reader.worker.once('online', resolve))
    for (let index = 0; index < 20; index++) {
      tree.setSync('/churn/0', { v: 1000 * round + 5 * index + 5 })
      await setImmediate()
    }
    await reader.worker.terminate()
  }
  const before = tree.stats().fileBytes
  for (let index = 0; index < 2000; index++) {
    tree.setSync('/churn/0', { v: index })
    if (index % 50 === 0) await setImmediate()
  }
  expect(tree.stats().fileBytes - before).toBeLessThan(500 * 4096)
})
