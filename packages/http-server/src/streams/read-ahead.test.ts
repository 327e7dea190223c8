import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { openTree } from '@elkyn/storage-lmdb'
import { fromJson, parsePath } from '@elkyn/tree'
import type { TreeStore, TreeWrite } from '@elkyn/tree'
import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { maxWholeBytes } from './framed-events.ts'
import { PieceMemory, withPiece } from './piece-memory.ts'
import { ReadAhead } from './read-ahead.ts'
import { runStreamJob } from './stream-job.ts'
import type { StreamJob, StreamResult } from './stream-job.ts'

const feed = parsePath('/feed')
const target = { path: feed, shownPath: feed, form: 'plain' } as const

afterEach(() => {
  vi.useRealTimers()
})

/** Writes to the watched path and beside it, each of so many bytes. */
function writesOf(sizes: readonly number[]): TreeWrite[] {
  return sizes.map((size, index) => {
    const path = size % 7 === 0 ? parsePath('/elsewhere') : feed
    return { pairs: [{ path, value: fromJson(`${index} ${'x'.repeat(size)}`) }] }
  })
}

/** A source that reads in a turn of its own, as one in another thread does, and counts the jobs. */
class Source {
  readonly #store: TreeStore
  readonly memory = new PieceMemory()
  readonly jobs: StreamJob[] = []
  readonly ahead: ReadAhead = new ReadAhead((job) => this.#run(job))

  constructor(store: TreeStore) {
    this.#store = store
  }

  async #run(job: StreamJob): Promise<StreamResult> {
    this.jobs.push(job)
    return withPiece(this.memory, job, async (piece) => {
      await setImmediate()
      return runStreamJob(this.#store, job, piece?.bytes)
    })
  }

  /** Pieces that are nobody's. */
  get free(): number {
    const pieces = Array.from({ length: 16 }, () => this.memory.take())
    const taken = pieces.filter((piece) => piece !== undefined)
    for (const piece of taken.toReversed()) piece.giveBack()
    return taken.length
  }

  /** Reads to the end, and gives back each piece when it was copied. */
  async readAll(since: string, between?: () => void): Promise<string> {
    let text = ''
    for (let from = since; ;) {
      const { framed, id, isCut } = await this.ahead.run({ target, since: from, wantsFramed: true })
      text += Buffer.from(framed!.bytes).toString()
      framed?.release?.()
      if (isCut !== true) return text
      from = id!
      between?.()
    }
  }
}

/** What is sent of everything behind an event, read in one thread and piece by piece. */
function readPlainly(store: TreeStore, since: string): string {
  let text = ''
  for (let from = since; ;) {
    const { framed, id, isCut } = runStreamJob(store, { target, since: from, wantsFramed: true })
    text += Buffer.from(framed!.bytes).toString()
    if (isCut !== true) return text
    from = id!
  }
}

test('what is read ahead is what would be read, whatever is written meanwhile', async () => {
  const sizes = fc.oneof(
    fc.tuple(fc.constantFrom(10, 150, 400), fc.integer({ min: 500, max: 6000 })),
    fc.tuple(fc.constantFrom(20_000, 90_000), fc.integer({ min: 1, max: 20 })),
  )
  const run = fc.array(sizes, { minLength: 1, maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(run, fc.array(sizes, { maxLength: 3 }), async (missed, later) => {
      await using folder = await mkdtempDisposable(join(tmpdir(), 'elkyn-ahead-'))
      await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
      const { store } = tree
      const write = ([size, count]: readonly [number, number]): void => {
        store.commit(writesOf(Array.from({ length: count }, (_, index) => size + (index % 9))))
      }
      const since = store.idOf(0)!
      for (const some of missed) write(some)
      const source = new Source(store)
      const left = [...later]
      const text = await source.readAll(since, () => {
        const next = left.pop()
        if (next !== undefined) write(next)
      })
      expect(text === readPlainly(store, since)).toBe(true)
      expect(source.free).toBe(16)
    }),
    { numRuns: 15 },
  )
})

test('two pieces are under way behind one that was cut', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'elkyn-ahead-'))
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  tree.store.commit(writesOf(Array.from({ length: 8000 }, () => 200)))
  const source = new Source(tree.store)
  const first = await source.ahead.run({
    target,
    since: tree.store.idOf(0)!,
    wantsFramed: true,
  })
  expect(first.isCut).toBe(true)
  const most = source.jobs[1]!.most!
  expect(source.jobs.slice(1)).toEqual([
    { target, since: first.id, wantsFramed: true, most },
    { target, since: first.id, wantsFramed: true, most, skip: most - 1 },
  ])
  const second = await source.ahead.run({ target, since: first.id, wantsFramed: true })
  expect(source.jobs).toHaveLength(4)
  expect(second.framed!.bytes.length).toBeGreaterThan(maxWholeBytes * 0.9)
  const text = await source.readAll(second.id!)
  expect(text.endsWith(`id: ${tree.store.idOf(8000)}\n\n`)).toBe(true)
  // Two that were cut at the end of the log, and one that has seen that there is no more.
  expect(source.jobs.length).toBeLessThan(14)
})

test('nothing is read ahead of what is whole', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'elkyn-ahead-'))
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  tree.store.commit(writesOf([10, 20, 30]))
  const source = new Source(tree.store)
  await source.ahead.run({ target, since: tree.store.idOf(0)!, wantsFramed: true })
  await source.ahead.run({ target, since: tree.store.idOf(3)!, wantsFramed: true })
  await source.ahead.run({ target })
  expect(source.jobs).toHaveLength(3)
})

test('what nobody asks for is given back', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  await using folder = await mkdtempDisposable(join(tmpdir(), 'elkyn-ahead-'))
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  tree.store.commit(writesOf(Array.from({ length: 8000 }, () => 200)))
  const source = new Source(tree.store)
  const job: StreamJob = { target, since: tree.store.idOf(0)!, wantsFramed: true }
  const results = await Promise.all([source.ahead.run(job), source.ahead.run(job)])
  for (const { framed } of results) framed?.release?.()
  expect(source.free).toBeLessThan(16)
  vi.advanceTimersByTime(1000)
  while (source.free < 16) await setImmediate()
  const { id } = results[0]
  await source.ahead.run({ target, since: id, wantsFramed: true })
  expect(source.jobs.at(-3)).toEqual({ target, since: id, wantsFramed: true })
})

test('no more is read ahead than there is memory for', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'elkyn-ahead-'))
  await using tree = await openTree({ path: folder.path, durability: 'relaxed' })
  tree.store.commit(writesOf(Array.from({ length: 8000 }, () => 200)))
  const source = new Source(tree.store)
  for (let start = 0; start < 10; start++) {
    const since = tree.store.idOf(start)!
    await source.ahead.run({ target, since, wantsFramed: true })
  }
  expect(source.jobs.filter(({ skip }) => skip !== undefined)).toHaveLength(4)
})

test('a piece that fails or is lost is read by who needs it', async () => {
  const framed = { count: 1, bytes: Buffer.from('event') }
  const cut: StreamResult = {
    sequence: 5,
    id: 'e-5-0',
    events: [],
    framed,
    isWhole: false,
    isCut: true,
    changes: 5,
  }
  const lost: StreamResult = { ...cut, id: 'e-9-0', isCut: false, isWhole: true, isLost: true }
  const asked: StreamJob[] = []
  const ahead = new ReadAhead(async (job) => {
    asked.push(job)
    if (job.most === undefined) return job.since === 'e-0-0' ? cut : lost
    if (job.skip === undefined) return lost
    throw new Error('the thread has died')
  })
  expect(await ahead.run({ target, since: 'e-0-0', wantsFramed: true })).toBe(cut)
  expect(await ahead.run({ target, since: 'e-5-0', wantsFramed: true })).toBe(lost)
  expect(asked.map(({ most }) => most === undefined)).toEqual([true, false, false, true])
})
