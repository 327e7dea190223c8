import { parseJson, parsePath, rootPath } from '@elkyn/tree'
import type { Change, ChangePair, Path } from '@elkyn/tree'
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
  /** Whether there is no room for more. */
  isFull = false

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
  add(
    changes: readonly (readonly ChangePair[])[],
    now = 0,
    isAborted = false,
    update?: Path,
  ): Change[] {
    const added: Change[] = []
    try {
      this.lmdb.transact(() => {
        const before = this.position
        let last = before
        let { sequence } = before
        this.#log.begin()
        for (const pairs of changes) {
          if (!this.#log.hasRoom(pairs)) last = this.#log.flush(last)
          added.push(this.#log.append(++sequence, now, pairs, update))
        }
        last = this.#log.flush(last)
        this.#log.trim(before, last, now, this.isFull)
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

const ascii = (text: string) => Buffer.from(text)

/** Tags that no path and no text of the arbitraries make when they meet. */
const tags = {
  beforePath: ascii('<path '),
  beforeText: ascii('><text>'),
  beforeOwnText: ascii('<own>'),
  beforeId: ascii('#'),
  behindId: ascii('>\n'),
}
const isSpecial = Uint8Array.from({ length: 256 }, (_, byte) => (byte === 0x2e ? 1 : 0))

/** What of a change at and below a path is copied, in those tags; `undefined` where it has to be read. */
function copyOfChange({ id, pairs: [sole, ...others] }: Change, watched: string) {
  const isElsewhere = ({ path }: ChangePair) => {
    // What lies above is to be read.
    const isAbove = path === '/' || watched.startsWith(`${path}/`)
    return !isAbove && !`${path}/`.startsWith(`${watched}/`)
  }
  if (sole !== undefined && [sole, ...others].every(isElsewhere)) return ''
  if (others.length > 0 || sole?.value?.form !== 'plain') return undefined
  const { path, value } = sole
  if (watched.startsWith(path) && path !== watched) return undefined
  const rest = path.slice(watched.length)
  if (rest.includes('.')) return undefined
  const place = rest === '' ? '<own>' : `<path ${rest}><text>`
  return `${place}${value.text}#${id}>\n`
}

test('changes are copied as they were added, but for those that have to be read', async () => {
  let copied = 0
  await fc.assert(
    fc.asyncProperty(
      // Nearly all changes are one pair.
      fc.array(
        fc.oneof(
          { weight: 4, arbitrary: fc.tuple(anyPair) },
          { weight: 1, arbitrary: fc.array(anyPair, { minLength: 2, maxLength: 4 }) },
        ),
        { minLength: 1, maxLength: 12 },
      ),
      fc.nat(),
      fc.nat(3),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 4, max: 300 }),
      async (batch, chosen, levels, most, limit) => {
        await using log = new LogFixture()
        const added = log.add(batch)
        const { path } = batch[chosen % batch.length]![0]
        const watched = path === '/' ? '' : path.split('/').slice(0, levels).join('/')
        const frame = { ...tags, path: Buffer.from(watched), isSpecial }
        const wanted = added.map((change) => copyOfChange(change, watched) ?? `read ${change.id}`)
        const found: string[] = []
        log.look((changes) => {
          using cursor = changes.cursorAfter(0, undefined)
          let next = 0
          while (cursor.next()) {
            const target = { bytes: Buffer.alloc(8), end: 3, limit, count: 0, wanted: 0 }
            let done = cursor.copyPairs(frame, target, most)
            if (done === 0 && target.wanted > 0) {
              target.bytes = Buffer.alloc(target.wanted)
              done = cursor.copyPairs(frame, target, most)
            }
            // What it wanted was enough.
            expect(done === 0 && target.wanted > 0).toBe(false)
            expect(done).toBeLessThanOrEqual(most)
            const text = target.bytes.toString('utf8', 3, target.end)
            expect(target.count).toBe(text.split('>\n').length - 1)
            found.push(done === 0 ? `read ${cursor.id}` : text)
            copied += target.count
            next += Math.max(done, 1)
            expect([cursor.sequence, shown(cursor.change)]).toEqual([next, shown(added[next - 1]!)])
          }
        })
        expect(found.join('')).toBe(wanted.join(''))
      },
    ),
    { numRuns: 200 },
  )
  expect(copied).toBeGreaterThan(100)
})

test('copying stops behind the pair that reaches the limit, at the most, and before one for which there is no room', async () => {
  await using log = new LogFixture()
  const added = log.add(Array.from({ length: 9 }, () => [pair('x'.repeat(100))]))
  const frame = { ...tags, path: Buffer.from('/a'), isSpecial }
  const copy = (size: number, limit: number, most: number) =>
    log.look((changes) => {
      using cursor = changes.cursorAfter(0, undefined)
      cursor.next()
      const target = { bytes: Buffer.alloc(size), end: 0, limit, count: 0, wanted: 0 }
      const done = cursor.copyPairs(frame, target, most)
      expect(target.count).toBe(done)
      const text = added.slice(0, done).map((change) => copyOfChange(change, '/a'))
      expect(target.bytes.toString('utf8', 0, target.end)).toBe(text.join(''))
      return { done, wanted: target.wanted > 0 }
    })
  expect(copy(4096, 4096, 20)).toEqual({ done: 9, wanted: false })
  expect(copy(4096, 4096, 4)).toEqual({ done: 4, wanted: false })
  expect(copy(4096, 200, 20)).toEqual({ done: 2, wanted: false })
  expect(copy(500, 4096, 20)).toEqual({ done: 3, wanted: true })
  expect(copy(50, 4096, 20)).toEqual({ done: 0, wanted: true })
})

test('an update is passed over where it or each of its pairs is elsewhere, whatever is in it', async () => {
  await using log = new LogFixture()
  const value = parseJson('1')
  const pairs = ['/a/b', '/a/c/d', '/a/.priority'].map((path) => {
    return { path: parsePath(path, { priority: true }), value }
  })
  const hole = { path: parsePath('/a/hole'), value: undefined }
  log.add([[...pairs, hole]], 0, false, parsePath('/a'))
  log.add([[...pairs, hole]], 0, false, rootPath)
  const passed = (watched: string) =>
    log.look((changes) => {
      using cursor = changes.cursorAfter(0, undefined)
      return [1, 2].map(() => {
        cursor.next()
        const frame = { ...tags, path: Buffer.from(watched), isSpecial }
        const target = { bytes: Buffer.alloc(1000), end: 0, limit: 1000, count: 0, wanted: 0 }
        const done = cursor.copyPairs(frame, target, 9)
        expect([target.count, target.wanted]).toEqual([0, 0])
        return done === 1
      })
    })
  for (const watched of ['/x', '/ab', '/a/x', '/a/c/e', '/a/bc', '/a/b1/c', '/a/c/d1']) {
    expect([watched, ...passed(watched)]).toEqual([watched, true, true])
  }
  for (const watched of [
    '',
    '/a',
    '/a/b',
    '/a/b/c',
    '/a/b/c/d',
    '/a/c',
    '/a/c/d',
    '/a/hole',
    '/a/.priority',
  ]) {
    expect([watched, ...passed(watched)]).toEqual([watched, false, false])
  }
})

test.each([
  ['plain', undefined],
  ['sealed', new Sealer(Buffer.alloc(32, 'key'))],
])('a cursor goes on behind a pause, and holds no large entry meanwhile: %s', async (_, sealer) => {
  await using log = new LogFixture(unlimited, sealer)
  const large = pair('x'.repeat(4_000_000))
  const batch = [[pair('1')], [pair('2')], [large], [pair('3')], [large, pair('4')], [pair('5')]]
  const added = log.add([...batch, ...batch])
  log.look((changes) => {
    using cursor = changes.cursorAfter(1, undefined)
    using other = changes.cursorAfter(1, undefined)
    for (const change of added.slice(1)) {
      expect([cursor.next(), other.next()]).toEqual([true, true])
      const { change: found, bytes } = cursor
      const before = process.memoryUsage().arrayBuffers
      cursor.idle()
      const freed = before - process.memoryUsage().arrayBuffers
      // The collector may free what is nobody's at the same time.
      expect(bytes <= 4_000_000 || freed > 3_900_000).toBe(true)
      expect([cursor.sequence, cursor.id]).toEqual([change.sequence, change.id])
      expect([cursor.bytesRead, shown(found)]).toEqual([other.bytesRead, shown(change)])
    }
    expect(cursor.next()).toBe(false)
    cursor.idle()
    expect([cursor.next(), cursor.id]).toEqual([false, added.at(-1)!.id])
  })
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

test('where there is no room each change takes the place of older ones, but for the newest', async () => {
  await using log = new LogFixture()
  const text = 'x'.repeat(1000)
  for (let index = 0; index < 100; index++) log.add([[pair(text)]])
  log.isFull = true
  for (let entries = 100; entries > 10;) {
    log.add([[pair(text)]])
    expect(log.entries).toBeLessThan(entries)
    expect(log.entries).toBeGreaterThanOrEqual(entries - 3)
    entries = log.entries
  }
  for (let index = 0; index < 10; index++) log.add([[pair(text)]])
  expect(log.entries).toBe(1)
  log.isFull = false
  log.add([[pair(text)]])
  expect(log.entries).toBe(2)
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
