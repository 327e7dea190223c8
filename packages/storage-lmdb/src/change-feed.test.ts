import { parseJson, parsePath } from '@elkyn/tree'
import type { Change } from '@elkyn/tree'
import { expect, test, vi } from 'vitest'
import { openLmdb } from '../test/open-lmdb.ts'
import { temporaryFolder } from '../test/temporary-folder.ts'
import { ChangeFeed } from './change-feed.ts'
import { ChangeLog } from './change-log.ts'
import { iterableOf } from './iterable.ts'
import { SharedWord } from './lmdb.ts'
import type { Lmdb } from './lmdb.ts'
import { Readers } from './readers.ts'
import { Sealer } from './sealer.ts'

/** A feed of a log to which another thread could have added. */
class FeedFixture implements AsyncDisposable {
  readonly #folder = temporaryFolder()
  readonly lmdb: Lmdb
  readonly log: ChangeLog
  readonly readers: Readers
  readonly feed: ChangeFeed
  #position = { sequence: 0, bytes: 0 }

  constructor() {
    const sealer = new Sealer(Buffer.alloc(32, 'key'))
    const limits = { maxBytes: Infinity, maxAgeMs: Infinity }
    this.lmdb = openLmdb(this.#folder.path, sealer)
    this.log = new ChangeLog(this.lmdb, 'epoch', limits, sealer)
    this.readers = new Readers(this.lmdb)
    this.feed = new ChangeFeed(this.lmdb, this.log, this.readers)
  }

  /** Adds changes, each in an entry of its own. */
  add(count: number, text = ''): void {
    const pairs = [{ path: parsePath('/a'), value: parseJson(JSON.stringify(text)) }]
    this.lmdb.transact(() => {
      this.log.begin()
      for (let added = 0; added < count; added++) {
        this.log.append(this.#position.sequence + 1, 0, pairs)
        this.#position = this.log.flush(this.#position)
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.feed.close()
    this.readers.close()
    await this.lmdb.close()
    this.#folder[Symbol.dispose]()
  }
}

function fails(): never {
  throw new Error('failed')
}

test('a subscription that fails leaves neither a listener nor a reader', async () => {
  await using fixture = new FeedFixture()
  const { feed, lmdb, log, readers } = fixture

  vi.spyOn(readers, 'acquire').mockImplementationOnce(fails)
  expect(() => feed.subscribe(() => {})).toThrow('failed')
  expect(lmdb.shared[SharedWord.listeners]).toBe(0)

  vi.spyOn(log, 'position').mockImplementationOnce(fails)
  expect(() => feed.subscribe(() => {})).toThrow('failed')
  expect(lmdb.shared[SharedWord.listeners]).toBe(0)
  expect(readers.acquire().users).toBe(1)

  const unsubscribe = feed.subscribe(() => {})
  expect(lmdb.shared[SharedWord.listeners]).toBe(1)
  unsubscribe()
  expect(lmdb.shared[SharedWord.listeners]).toBe(0)
})

test('who has missed much gets it in parts', async () => {
  await using fixture = new FeedFixture()
  const parts: (readonly Change[])[] = []
  fixture.feed.subscribe((changes) => parts.push(changes))
  fixture.add(2500)
  fixture.add(10, 'x'.repeat(300_000))
  fixture.feed.catchUp()
  const sequences = parts.flat().map(({ sequence }) => sequence)
  expect(sequences).toEqual(Array.from({ length: 2510 }, (_, index) => index + 1))
  for (const part of parts) {
    expect(part.length).toBeLessThanOrEqual(1000)
    const texts = part.map(({ pairs }) => pairs[0]!.value!.text.length)
    expect(texts.reduce((sum, length) => sum + length)).toBeLessThan(1_400_000)
  }
})

test('others who go on to write keep nobody busy with what he has missed', async () => {
  await using fixture = new FeedFixture()
  let heard = 0
  fixture.feed.subscribe((changes) => {
    heard += changes.length
    fixture.add(1000)
  })
  fixture.add(2500)
  fixture.feed.catchUp()
  expect(heard).toBeGreaterThanOrEqual(2500)
  expect(heard).toBeLessThan(5000)
})

test('a change that can not be read is told as one that is not kept', async () => {
  await using fixture = new FeedFixture()
  const { feed, lmdb } = fixture
  const heard: Change[] = []
  feed.subscribe((changes) => heard.push(...changes))
  fixture.add(5)
  lmdb.transact(() => {
    const key = [...iterableOf(() => lmdb.log.keys({}))][2]!
    lmdb.log.put(key, Buffer.alloc(100))
  })
  feed.catchUp()
  expect(heard.map(({ sequence, pairs }) => [sequence, pairs[0]!.path])).toEqual([
    [1, '/a'],
    [2, '/a'],
    [3, '/'],
    [4, '/a'],
    [5, '/a'],
  ])
})

test('what can not be read now is read later', async () => {
  await using fixture = new FeedFixture()
  const { feed, readers } = fixture
  const heard: number[] = []
  feed.subscribe((changes) => heard.push(...changes.map(({ sequence }) => sequence)))
  fixture.add(2)
  vi.spyOn(readers, 'acquire').mockImplementationOnce(fails)
  feed.catchUp()
  expect(heard).toEqual([])
  feed.catchUp()
  expect(heard).toEqual([1, 2])
})

test('changes that could not be read are looked for again, also where nobody commits any more', async () => {
  await using fixture = new FeedFixture()
  const heard = new Promise<readonly Change[]>((resolve) => {
    fixture.feed.subscribe(resolve)
  })
  fixture.add(2)
  vi.spyOn(fixture.readers, 'acquire').mockImplementationOnce(fails).mockImplementationOnce(fails)
  fixture.feed.catchUp()
  const changes = await heard
  expect(changes.map(({ sequence }) => sequence)).toEqual([1, 2])
})
