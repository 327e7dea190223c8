import assert from 'node:assert/strict'
import type { Engine } from '../engines/engine.ts'
import { itemOf, randomNumbers, recordKey } from '../records.ts'
import { checkRecord, itemBatches } from './work.ts'
import type { Work } from './work.ts'

/** Reads records in random order. Hot: each of them was read before or lies in the page cache. */
export function readRecords(engine: Engine, records: number): Work {
  const random = randomNumbers(1)
  const pick = (): number => Math.floor(random() * records)
  return {
    isWriting: false,
    async prepare() {
      await engine.load(itemBatches(0, records))
      for (let count = 0; count < 1000; count++) await checkRecord(engine, pick())
    },
    trial(count) {
      const numbers = Array.from({ length: count }, pick)
      const keys = numbers.map(recordKey)
      let bytes = 0
      return {
        units: count,
        async run() {
          bytes = await engine.read(keys)
        },
        async check() {
          const expected = numbers.reduce((sum, number) => sum + itemOf(number).json.length, 0)
          assert.equal(bytes, expected)
        },
      }
    },
  }
}
