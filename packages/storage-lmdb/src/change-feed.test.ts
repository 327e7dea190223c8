import { expect, test, vi } from 'vitest'
import { openLmdb } from '../test/open-lmdb.ts'
import { temporaryFolder } from '../test/temporary-folder.ts'
import { ChangeFeed } from './change-feed.ts'
import { ChangeLog } from './change-log.ts'
import { SharedWord } from './lmdb.ts'
import { Readers } from './readers.ts'

test('a subscription that fails leaves neither a listener nor a reader', async () => {
  using folder = temporaryFolder()
  const lmdb = openLmdb(folder.path)
  const log = new ChangeLog(lmdb, 'epoch', { maxBytes: Infinity, maxAgeMs: Infinity }, undefined)
  const readers = new Readers(lmdb)
  const feed = new ChangeFeed(lmdb, log, readers)
  const fails = (): never => {
    throw new Error('failed')
  }
  const listener = (): void => {}

  vi.spyOn(readers, 'acquire').mockImplementationOnce(fails)
  expect(() => feed.subscribe(listener)).toThrow('failed')
  expect(lmdb.shared[SharedWord.listeners]).toBe(0)

  vi.spyOn(log, 'position').mockImplementationOnce(fails)
  expect(() => feed.subscribe(listener)).toThrow('failed')
  expect(lmdb.shared[SharedWord.listeners]).toBe(0)
  expect(readers.acquire().users).toBe(1)

  const unsubscribe = feed.subscribe(listener)
  expect(lmdb.shared[SharedWord.listeners]).toBe(1)
  unsubscribe()
  expect(lmdb.shared[SharedWord.listeners]).toBe(0)
  readers.close()
  await lmdb.close()
})
