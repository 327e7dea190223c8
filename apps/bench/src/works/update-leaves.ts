import type { Engine } from '../engines/engine.ts'
import { randomNumbers, recordKey } from '../records.ts'
import type { LeafUpdate } from '../records.ts'
import { checkRecord, itemBatches } from './work.ts'
import type { Work } from './work.ts'

const BATCH_LENGTH = 64

/** Sets one field of records in random order. */
export function updateLeaves(engine: Engine, records: number): Work {
  const random = randomNumbers(2)
  const visits = new Map<number, number>()
  let time = 0
  const pick = (): number => {
    const number = Math.floor(random() * records)
    visits.set(number, ++time)
    return number
  }
  return {
    isWriting: true,
    async prepare() {
      await engine.load(itemBatches(0, records))
    },
    trial(count) {
      const batchCount = Math.ceil(count / BATCH_LENGTH)
      const numbers: number[] = []
      const batches = Array.from({ length: batchCount }, () =>
        Array.from({ length: BATCH_LENGTH }, (): LeafUpdate => {
          const number = pick()
          numbers.push(number)
          return { key: recordKey(number), field: 'visits', value: visits.get(number)! }
        }),
      )
      return {
        units: numbers.length,
        run: () => engine.update(batches),
        async check() {
          for (let at = 0; at < numbers.length; at += 31) {
            await checkRecord(engine, numbers[at]!, visits.get(numbers[at]!))
          }
        },
      }
    },
  }
}
