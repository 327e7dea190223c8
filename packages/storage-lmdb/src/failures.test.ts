import { tmpdir } from 'node:os'
import { TreeError } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { StorageError } from './errors.ts'
import { availableBytes, commitError, storeError } from './failures.ts'

function coded(message: string, code: unknown): Error {
  return Object.assign(new Error(message), { code })
}

test('a full disk, quota or map is ERR_STORE_FULL', () => {
  const full = [
    coded('No space left on device', 28),
    coded('x', 28),
    coded('x', 122),
    coded('x', -30792),
    new Error('Commit failed: No space left on device'),
    new Error('Disk quota exceeded'),
    new Error('MDB_MAP_FULL: Environment mapsize limit reached'),
    coded('ENOSPC: no space left on device, write', 'ENOSPC'),
  ]
  for (const cause of full) {
    const error = storeError(cause, 'Cannot commit')
    expect(error).toMatchObject({ name: 'TreeError', code: 'ERR_STORE_FULL', cause })
    expect(error.message).toMatch(/^Cannot commit: /)
  }
})

test('an I/O error of a commit is a full disk where less is free than was to be written', () => {
  const error = coded('Input/output error', 5)
  const code = (cause: unknown, bytes: number): unknown =>
    Reflect.get(commitError(cause, tmpdir(), bytes), 'code')
  expect(code(error, 2 ** 60)).toBe('ERR_STORE_FULL')
  expect(code(error, 1)).toBe('ERR_STORE_FAILED')
  expect(code(new Error('other'), 2 ** 60)).toBe('ERR_STORE_FAILED')
  expect(availableBytes('/nowhere at all')).toBe(Infinity)
})

test('a table of readers that is full is ERR_TOO_MANY_SNAPSHOTS', () => {
  for (const cause of [
    coded('x', -30790),
    new Error('MDB_READERS_FULL: Environment maxreaders limit reached'),
  ]) {
    expect(storeError(cause, 'Cannot read')).toMatchObject({
      code: 'ERR_TOO_MANY_SNAPSHOTS',
      message: 'Cannot read: as many snapshots as maxReaders allows are open',
      cause,
    })
  }
})

test('all else that fails beneath is ERR_STORE_FAILED with its words', () => {
  for (const cause of [
    coded('Input/output error', 5),
    coded('x', -30795),
    new Error('MDB_PANIC'),
    'text',
    null,
  ]) {
    expect(storeError(cause, 'Cannot read')).toMatchObject({ code: 'ERR_STORE_FAILED', cause })
  }
  expect(storeError(new Error('why'), 'Cannot read').message).toBe('Cannot read: why')
})

test('errors of our own pass as they are', () => {
  for (const error of [
    new TreeError('ERR_REFUSED', 'no'),
    new StorageError('ERR_STORE_CORRUPT', 'changed'),
  ]) {
    expect(storeError(error, 'Cannot commit')).toBe(error)
  }
})
