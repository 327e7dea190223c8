import assert from 'node:assert/strict'
import type { Engine } from '../engines/engine.ts'
import { itemOf, recordOf } from '../records.ts'
import type { Item } from '../records.ts'

/** Something that is timed, again and again, on one open engine. */
export interface Work {
  readonly isWriting: boolean
  /** Fills the engine and makes sure that it answers right, before anything is timed. */
  prepare(): Promise<void>
  /** Makes the input of a trial of `count` operations. */
  trial(count: number): Trial
}

interface Trial {
  /** What is timed. */
  run(): void | Promise<void>
  /** How much was done, in the unit of the table: operations or bytes. */
  readonly units: number
  /** Makes sure that it was done. Not timed. */
  check(): Promise<void>
}

export type MakeWork = (engine: Engine, records: number) => Work

/** The records with the numbers from `start` to `end`, in batches. */
export function* itemBatches(start: number, end: number): Iterable<Item[]> {
  const batchLength = 5000
  for (let from = start; from < end; from += batchLength) {
    const length = Math.min(batchLength, end - from)
    yield Array.from({ length }, (_, index) => itemOf(from + index))
  }
}

/** Makes sure that an engine has the record of that number. */
export async function checkRecord(engine: Engine, number: number, visits = 0): Promise<void> {
  const { key } = itemOf(number)
  const json = await engine.get(key)
  assert.ok(json, `There is no record ${key}`)
  // Not byte for byte: AceBase gives members back in an order of its own.
  assert.deepEqual(JSON.parse(Buffer.from(json).toString()), { ...recordOf(number), visits })
}
