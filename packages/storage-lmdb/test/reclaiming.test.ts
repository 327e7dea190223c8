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

/** A store in which something large was deleted, and to remove it fails so, until mocks are restored. */
async function failing(path: string, fault: Error): Promise<LmdbTreeStore> {
  const store = openStore({ path, rowMaxBytes: 50 })
  for (const name of ['a', 'b', 'c']) write(store, `/${name}`, large)
  vi.spyOn(Lmdb.prototype, 'unmarkHead').mockImplementation(() => {
    throw fault
  })
  write(store, '/a', null)
  await turns()
  expect(store.stats().graves).toBe(1)
  return store
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await setImmediate()
}

test('what was deleted is removed at the next commit, where there was no room for that', async () => {
  using folder = temporaryFolder()
  const full = Object.assign(new Error('No space left on device'), { code: 28 })
  await using store = await failing(folder.path, full)
  vi.restoreAllMocks()
  write(store, '/d', parseJson('1'))
  expect(await reclaimed(store)).toMatchObject({ graves: 0 })
})

test('the next write is told once why what was deleted can not be removed', async () => {
  using folder = temporaryFolder()
  const fault = new RangeError('a fault')
  await using store = await failing(folder.path, fault)
  const failed = expect.objectContaining({ code: 'ERR_STORE_FAILED', cause: fault }) as unknown
  expect(() => {
    write(store, '/b', null)
  }).toThrow(failed)
  write(store, '/b', null)
  await turns()
  expect(store.stats().graves).toBe(2)
  vi.restoreAllMocks()
  write(store, '/c', null)
  expect(await reclaimed(store)).toMatchObject({ rows: 0, graves: 0 })
})

test('what was staged in vain right before a store closes is removed by others', async () => {
  using folder = temporaryFolder()
  await using other = openStore({ path: folder.path, rowMaxBytes: 50 })
  const store = openStore({ path: folder.path })
  const stager = store.stage()
  stager.write(Buffer.from(`["${'x'.repeat(300_000)}","${'y'.repeat(300_000)}"`))
  expect(store.stats().graves).toBe(1)
  stager.abort()
  await store.close()
  write(other, '/a', large)
  write(other, '/a', null)
  expect(await reclaimed(other)).toMatchObject({ rows: 0, graves: 0 })
})
