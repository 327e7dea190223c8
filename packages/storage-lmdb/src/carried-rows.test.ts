import { TreeError } from '@elkyn/tree'
import { expect, test } from 'vitest'
import { CarriedRows } from './carried-rows.ts'
import type { WaitingRows } from './carried-rows.ts'
import type { TransactionState } from './write-transactions.ts'

const state = {} as TransactionState

/** Rows that take and add so many KiB, and note when they are stored. */
class Rows implements WaitingRows {
  readonly waitingBytes: number
  readonly #kibibytes: number
  readonly #log: number[]
  readonly #carried: CarriedRows

  constructor(carried: CarriedRows, kibibytes: number, log: number[]) {
    this.#carried = carried
    this.waitingBytes = kibibytes * 1024
    this.#kibibytes = kibibytes
    this.#log = log
  }

  addedBytes(): number {
    return this.waitingBytes
  }

  store(): void {
    if (this.#kibibytes < 0) throw new Error('MDB_BAD_VALSIZE')
    this.#log.push(this.#kibibytes)
  }

  stored(): void {
    this.#carried.remove(this)
  }
}

function fixture(...kibibytes: number[]) {
  const carried = new CarriedRows()
  const log: number[] = []
  for (const count of kibibytes) carried.add(new Rows(carried, count, log))
  const store = (room = Infinity): number[] => {
    carried.store(state, room)
    return log.splice(0)
  }
  return { carried, store }
}

test('CarriedRows stores the first ones that fit into a commit', () => {
  const { carried, store } = fixture(100, 120, 80)
  expect(store()).toEqual([100, 120])
  carried.committed()
  expect(store()).toEqual([80])
  carried.committed()
  expect(store()).toEqual([])
  expect(fixture(10_000, 1).store()).toEqual([10_000])
})

test('CarriedRows stores none for which there is no room', () => {
  const { carried, store } = fixture(100, 120)
  expect(store(10 * 1024)).toEqual([])
  carried.committed()
  expect(store(150 * 1024)).toEqual([100])
  expect(store(220 * 1024)).toEqual([100, 120])
})

test('CarriedRows tells failures that may be of what is carried from others', () => {
  const failed = (code: 'ERR_STORE_FULL' | 'ERR_STORE_FAILED', cause?: unknown): TreeError => {
    return new TreeError(code, 'Cannot commit', { cause })
  }
  const { carried, store } = fixture(100)
  store(0)
  expect(carried.failed(failed('ERR_STORE_FULL'))).toBe(false)
  store()
  expect(carried.failed(failed('ERR_STORE_FAILED', new Error('EIO')))).toBe(false)
  expect(store()).toEqual([100])
  expect(carried.failed(failed('ERR_STORE_FULL'))).toBe(true)
  // It is left to itself from then on.
  expect(store()).toEqual([])

  const broken = fixture(-1)
  let thrown: unknown
  try {
    broken.store()
  } catch (error) {
    thrown = error
  }
  expect(broken.carried.failed(failed('ERR_STORE_FAILED', thrown))).toBe(true)
})
