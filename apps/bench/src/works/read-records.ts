import assert from 'node:assert/strict'
import type { Engine } from '../engines/engine.ts'
import { itemOf, randomNumbers, recordKey } from '../records.ts'
import { checkRecord, itemBatches } from './work.ts'
import type { Work } from './work.ts'

/** Reads any of the records in random order. Hot: each of them lies in the page cache. */
export function readRecords(engine: Engine, records: number): Work {
  const random = randomNumbers(1)
  return readPicked(engine, records, () => Math.floor(random() * records))
}

/**
 * Reads a thousand records, spread over all, again and again: they stay in the processor's caches
 * however many others there are.
 */
export function readThousandRecords(engine: Engine, records: number): Work {
  const random = randomNumbers(1)
  const step = records / 1000
  return readPicked(engine, records, () => Math.floor(random() * 1000) * step)
}

function readPicked(engine: Engine, records: number, pick: () => number): Work {
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
