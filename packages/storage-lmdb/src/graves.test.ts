import { TreeValue } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { openLmdb } from '../test/open-lmdb.ts'
import { temporaryFolder } from '../test/temporary-folder.ts'
import { Head } from './entry.ts'
import { buriedHeads, bury, dig } from './graves.ts'

test('dig() stops at a megabyte of rows, however few they are, and goes on where it was', async () => {
  using folder = temporaryFolder()
  const lmdb = openLmdb(folder.path)
  const value = TreeValue.fromNode('x'.repeat(400_000))
  lmdb.transact(() => {
    for (let row = 0; row < 7; row++) lmdb.putRow(1, `row ${row}`, value)
    lmdb.putRow(1, 'row 7', new Head(2, null))
    lmdb.putRow(2, 'below', value)
    bury(lmdb, 1)
  })
  const left: number[] = []
  const digOnce = (): boolean => {
    let isLeft = false
    lmdb.transact(() => {
      isLeft = dig(lmdb, 1, 256)
    })
    left.push(lmdb.countNames(1, undefined))
    return isLeft
  }
  while (digOnce()) continue
  expect(left).toEqual([5, 2, 0])
  expect(buriedHeads(lmdb, 2)).toEqual([2])
  await lmdb.close()
})
