import { TreeValue } from '@elkyn/tree'
import type { Change } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { at } from '../test/reading.ts'
import { BatchConditions } from './batch-conditions.ts'
import type { ConditionedBatch } from './batch-conditions.ts'
import { EntryView } from './entry-view.ts'

function change(sequence: number, path: string): Change {
  const pairs = [{ path: at(path), value: undefined }]
  return { sequence, id: String(sequence), time: 0, pairs }
}

test('a large value is digested again only where a change bears on it', () => {
  const row = TreeValue.fromNode('a text')
  const changes: Change[] = []
  let digests = 0
  const batch = {
    begin: 0,
    writes: [],
    changes,
    comparedMaxLength: 1,
    view: new EntryView(
      { entry: () => row, passed: () => row, names: () => [] },
      new Map([['/p', 1]]),
    ),
    etagOf: () => `etag ${++digests}`,
  } as unknown as ConditionedBatch
  const conditions = new BatchConditions(batch)
  const digest = (path: string): number => {
    conditions.check({ path: at(path), etag: '' }, undefined)
    return digests
  }
  expect([digest('/p/a'), digest('/p/a'), digest('/p/b'), digest('/p/a')]).toEqual([1, 1, 2, 2])
  changes.push(change(1, '/p/c'))
  expect([digest('/p/a'), digest('/p/b')]).toEqual([2, 2])
  changes.push(change(2, '/p/c'), change(3, '/p/a/below'), change(4, '/p/c'))
  expect([digest('/p/a'), digest('/p/a'), digest('/p/b')]).toEqual([3, 3, 3])
  changes.push(change(5, '/p'))
  expect([digest('/p/b'), digest('/p/a'), digest('/p/b')]).toEqual([4, 5, 5])
})
