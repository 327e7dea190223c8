import { MemoryTreeStore, fromJson, rootPath } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { inSlices } from '../steps.ts'
import { TimeSlice } from '../time-slice.ts'
import { keyBytes, keySet } from './key-bytes.ts'

test.each([0, 1, 2, 10_000])('%i keys are the same when they are read again', async (count) => {
  const store = new MemoryTreeStore()
  const keys = Array.from({ length: count }, (_, index) => `${index}ä`)
  const value = fromJson(Object.fromEntries(keys.map((key) => [key, 1])))
  store.commit([{ pairs: [{ path: rootPath, value }] }])
  using snapshot = store.snapshot()
  const slice = new TimeSlice(Infinity)
  const bytes = await inSlices(keyBytes(snapshot.query(rootPath, { orderBy: '$key' })), slice)
  expect([...(await inSlices(keySet(bytes), slice))].toSorted()).toEqual(keys.toSorted())
  expect([...keySet(bytes)].length).toBe(Math.max(Math.ceil(bytes.length / 16_384) - 1, 0))
})
