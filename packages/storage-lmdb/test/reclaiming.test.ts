import { setImmediate } from 'node:timers/promises'
import { parseJson } from '@elkyn/tree'
import { afterEach, expect, test, vi } from 'vitest'
import { Lmdb } from '../src/lmdb.ts'
import type { LmdbTreeStore } from '../src/store.ts'
import { openStore } from './open-store.ts'
import { at, reclaimed } from './reading.ts'
import { temporaryFolder } from './temporary-folder.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

const large = parseJson(`["${'x'.repeat(100)}","${'y'.repeat(100)}"]`)

function write(store: LmdbTreeStore, path: string, value: typeof large | null): void {
  store.commit([{ pairs: [{ path: at(path), value }] }])
}

/** A store in which something large was deleted, and to remove it fails so. */
async function failing(path: string, fault: Error): Promise<LmdbTreeStore> {
  const store = openStore({ path, rowMaxBytes: 50 })
  for (const name of ['a', 'b']) write(store, `/${name}`, large)
  write(store, '/a', null)
  vi.spyOn(Lmdb.prototype, 'removeRow').mockImplementation(() => {
    throw fault
  })
  for (let turn = 0; turn < 3; turn++) await setImmediate()
  vi.restoreAllMocks()
  expect(store.stats().graves).toBe(1)
  return store
}

test('what was deleted is removed at the next commit, where there was no room for that', async () => {
  using folder = temporaryFolder()
  const full = Object.assign(new Error('No space left on device'), { code: 28 })
  await using store = await failing(folder.path, full)
  write(store, '/c', parseJson('1'))
  expect(await reclaimed(store)).toMatchObject({ graves: 0 })
})

test('the next write is told once why what was deleted can not be removed', async () => {
  using folder = temporaryFolder()
  const fault = new RangeError('a fault')
  const store = await failing(folder.path, fault)
  const failed = expect.objectContaining({ code: 'ERR_STORE_FAILED', cause: fault }) as unknown
  expect(() => {
    write(store, '/b', null)
  }).toThrow(failed)
  write(store, '/b', null)
  for (let turn = 0; turn < 3; turn++) await setImmediate()
  write(store, '/c', parseJson('1'))
  // It was not tried again.
  expect(store.stats().graves).toBe(3)
  await store.close()
  await using again = openStore({ path: folder.path })
  expect(await reclaimed(again)).toMatchObject({ rows: 1, graves: 0 })
})
