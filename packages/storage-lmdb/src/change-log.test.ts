import { parseJson, parsePath } from '@elkyn/tree'
import type { Change, ChangePair } from '@elkyn/tree'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonText, path as anyPath } from '../test/arbitraries.ts'
import { openLmdb } from '../test/open-lmdb.ts'
import { temporaryFolder } from '../test/temporary-folder.ts'
import { ChangeLog } from './change-log.ts'
import type { LogLimits, LogPosition } from './change-log.ts'
import type { Lmdb } from './lmdb.ts'
import { Sealer } from './sealer.ts'

const unlimited: LogLimits = { maxBytes: Infinity, maxAgeMs: Infinity }

/** A change log over LMDB, to which batches are added one by one. */
class LogFixture implements AsyncDisposable {
  readonly #folder = temporaryFolder()
  readonly lmdb: Lmdb
  readonly #sealer: Sealer | undefined
  #log: ChangeLog
  position: LogPosition = { sequence: 0, bytes: 0 }

  constructor(limits: LogLimits = unlimited, sealer?: Sealer) {
    this.#sealer = sealer
    this.lmdb = openLmdb(this.#folder.path, sealer)
    this.#log = new ChangeLog(this.lmdb, 'epoch', limits, sealer)
  }

  /** As if the folder had been opened with other limits. */
  reopen(limits: LogLimits): void {
    this.#log = new ChangeLog(this.lmdb, 'epoch', limits, this.#sealer)
  }

  /** Adds a batch, in a transaction that may be aborted in the end. */
  add(changes: readonly (readonly ChangePair[])[], now = 0, isAborted = false): Change[] {
    const added: Change[] = []
    try {
      this.lmdb.transact(() => {
        const before = this.position
        let last = before
        let { sequence } = before
        this.#log.begin()
        for (const pairs of changes) {
          if (!this.#log.hasRoom(pairs)) last = this.#log.flush(last)
          added.push(this.#log.append(++sequence, now, pairs))
        }
        last = this.#log.flush(last)
        this.#log.trim(before, last, now)
        if (isAborted) throw new Error('aborted')
        this.position = last
      })
    } catch {
      // As if nothing had been added.
    }
    return added
  }

  /** Looks at the log in a transaction. */
  look<T>(work: (log: ChangeLog) => T): T {
    let result: { readonly value: T } | undefined
    this.lmdb.transact(() => {
      result = { value: work(this.#log) }
    })
    return result!.value
  }

  get entries(): number {
    return this.lmdb.stats.table('log').entries
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lmdb.close()
    this.#folder[Symbol.dispose]()
  }
}

function shown({ sequence, time, id, pairs }: Change): unknown {
  return [sequence, time, id, pairs.map(({ path, value }) => [path, value?.form, value?.text])]
}

function pair(text: string): ChangePair {
  return { path: parsePath('/a'), value: parseJson(JSON.stringify(text)) }
}

const anyPair = fc
  .tuple(anyPath, fc.option(jsonText))
  .map(([path, json]): ChangePair => ({ path, value: json === null ? undefined : parseJson(json) }))
  .filter(({ value }) => value?.hasServerValues !== true)
const anyBatch = fc.array(fc.array(anyPair, { minLength: 1, maxLength: 4 }), { maxLength: 6 })

async function expectAllBack(sealer: Sealer | undefined): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(anyBatch, fc.boolean()), { maxLength: 5 }),
      async (batches) => {
        await using log = new LogFixture(unlimited, sealer)
        const wanted: unknown[] = []
        for (const [index, [batch, isAborted]] of batches.entries()) {
          const added = log.add(batch, 1_795_000_000_000 + index, isAborted)
          if (!isAborted) wanted.push(...added.map(shown))
        }
        log.look((changes) => {
          expect(changes.position(undefined).sequence).toBe(wanted.length)
          expect(changes.count(undefined)).toBe(wanted.length)
          for (let after = 0; after <= wanted.length; after++) {
            const found = Array.from(changes.changesAfter(after, undefined), shown)
            expect(found).toEqual(wanted.slice(after))
          }
        })
      },
    ),
    { numRuns: 50 },
  )
}

test('changes come back as they were added, from any number on', async () => {
  await expectAllBack(undefined)
})

test('sealed changes come back as they were added', async () => {
  await expectAllBack(new Sealer(Buffer.alloc(32, 'key')))
})

test('a change of one plain value is there as bytes, which say the same', async () => {
  await fc.assert(
    fc.asyncProperty(anyBatch, async (batch) => {
      await using log = new LogFixture()
      log.add(batch)
      log.look((changes) => {
        using cursor = changes.cursorAfter(0, undefined)
        for (const change of changes.changesAfter(0, undefined)) {
          expect(cursor.next()).toBe(true)
          const { pair: stored } = cursor
          expect(shown(cursor.change)).toEqual(shown(change))
          const [{ path, value }] = change.pairs as [ChangePair]
          expect(stored !== undefined).toBe(change.pairs.length === 1 && value?.form === 'plain')
          if (stored === undefined) continue
          const bytes = Buffer.from(stored.bytes)
          expect(bytes.toString('utf8', stored.pathStart, stored.pathEnd)).toBe(path)
          expect(bytes.toString('utf8', stored.pathEnd, stored.textEnd)).toBe(value?.text)
          const target = Buffer.alloc(100)
          expect(target.toString('latin1', 3, stored.writeId(target, 3))).toBe(change.id)
        }
        expect(cursor.next()).toBe(false)
        expect(cursor.next()).toBe(false)
        expect(cursor.change.sequence).toBe(changes.position(undefined).sequence)
      })
    }),
    { numRuns: 50 },
  )
})

test('each change is found by its number and by its id', async () => {
  await using log = new LogFixture()
  const added = Array.from({ length: 20 }, (_, batch) =>
    log.add(
      Array.from({ length: 40 }, (_change, index) => [
        pair(`${batch} ${index} ${'x'.repeat(900)}`),
      ]),
    ),
  ).flat()
  expect(log.entries).toBeGreaterThan(20)
  expect(log.entries).toBeLessThan(100)
  log.look((changes) => {
    for (const { sequence, id } of added) {
      expect(changes.idOf(sequence, undefined)).toBe(id)
      expect(changes.sequenceOf(id, undefined)).toBe(sequence)
    }
    expect(changes.idOf(0, undefined)).toBe('epoch-0-0')
    expect(changes.idOf(added.length + 1, undefined)).toBe(undefined)
    const { id } = added[100]!
    for (const other of [
      '',
      'epoch',
      'epoch-',
      'epoch-1e3-0',
      `${id}0`,
      id.replace('epoch', 'other'),
    ]) {
      expect(changes.sequenceOf(other, undefined)).toBe(undefined)
    }
    expect(changes.sequenceOf(id.replace('-101-', '-102-'), undefined)).toBe(undefined)
    expect(changes.sequenceOf(`epoch-${2 ** 60}-0`, undefined)).toBe(undefined)
  })
})

test('the oldest changes go when there are too many bytes', async () => {
  const maxBytes = 50_000
  await using log = new LogFixture({ maxBytes, maxAgeMs: Infinity })
  const text = 'x'.repeat(1000)
  for (let index = 0; index < 200; index++) log.add([[pair(text)]])
  log.look((changes) => {
    const count = changes.count(undefined)
    expect(count).toBeGreaterThan(maxBytes / 1100)
    expect(count).toBeLessThan(maxBytes / 1000 + 2)
    const left = [...changes.changesAfter(0, undefined)]
    expect(left.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: count }, (_, index) => 201 - count + index),
    )
  })
})

test('the oldest changes go when they are too old', async () => {
  await using log = new LogFixture({ maxBytes: Infinity, maxAgeMs: 1000 })
  for (let now = 0; now < 50; now++) log.add([[pair('x')]], now * 100)
  log.look((changes) => {
    const [first] = changes.changesAfter(0, undefined)
    expect(first?.time).toBe(4000)
  })
})

test('the newest change stays, whatever the limits', async () => {
  await using log = new LogFixture({ maxBytes: 0, maxAgeMs: 0 })
  for (let index = 1; index <= 5; index++) {
    const [change] = log.add([[pair('x'.repeat(index))]], index)
    expect(log.entries).toBe(1)
    expect(log.look((changes) => [...changes.changesAfter(0, undefined)].map(shown))).toEqual([
      shown(change!),
    ])
  }
})

test('a batch removes little more than twice what it adds', async () => {
  await using log = new LogFixture()
  const text = 'x'.repeat(1000)
  for (let index = 0; index < 100; index++) log.add([[pair(text)]])
  log.reopen({ maxBytes: 0, maxAgeMs: 0 })
  for (let entries = 100; entries > 10;) {
    log.add([[pair(text)]])
    const removed = entries + 1 - log.entries
    expect(removed).toBeGreaterThan(1)
    expect(removed).toBeLessThanOrEqual(4)
    entries = log.entries
  }
  for (let index = 0; index < 100; index++) log.add([[pair('small')]])
  expect(log.entries).toBe(1)
  const many = Array.from({ length: 400 }, () => [pair('small')])
  log.reopen(unlimited)
  for (let index = 0; index < 400; index++) log.add([[pair('small')]])
  log.reopen({ maxBytes: 0, maxAgeMs: 0 })
  log.add(many)
  expect(log.entries).toBe(1)
})

test('large changes never crowd small ones out of their limit', async () => {
  const maxBytes = 2_000_000
  await using log = new LogFixture({ maxBytes, maxAgeMs: Infinity })
  for (let index = 0; index < 1000; index++) log.add([[pair('x'.repeat(1000))]])
  for (let index = 0; index < 20; index++) log.add([[pair('x'.repeat(500_000))]])
  log.look((changes) => {
    const bytes = [...changes.changesAfter(0, undefined)].reduce(
      (sum, { pairs }) => sum + pairs[0]!.value!.text.length,
      0,
    )
    expect(bytes).toBeLessThan(maxBytes + 600_000)
    expect(bytes).toBeGreaterThan(maxBytes - 600_000)
  })
})
