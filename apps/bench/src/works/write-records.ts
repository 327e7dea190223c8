import type { Engine } from '../engines/engine.ts'
import { itemOf } from '../records.ts'
import type { Item } from '../records.ts'
import { checkRecord, itemBatches } from './work.ts'
import type { Work } from './work.ts'

const BATCH_LENGTH = 500

/** Adds records behind those that are there, as push ids do. */
export function appendRecords(engine: Engine, records: number): Work {
  return addRecords(engine, records, (count) => records + count)
}

/** The same with records that were parsed before, where the engine stores something else than bytes. */
export function appendParsedRecords(engine: Engine, records: number): Work {
  const prepareWrite: PrepareWrite = (batches) =>
    engine.prepareWrite?.(batches) ?? (() => engine.write(batches))
  return addRecords(engine, records, (count) => records + count, prepareWrite)
}

/** Adds records between those that are there: almost each of them dirties a page of its own. */
export function insertRecords(engine: Engine, records: number): Work {
  // An odd factor makes each number of 28 bits from another one, in no order.
  return addRecords(engine, records, (count) => records + ((count * 0x9e3779b1) & 0xfffffff))
}

type PrepareWrite = (batches: readonly (readonly Item[])[]) => () => void | Promise<void>

function addRecords(
  engine: Engine,
  records: number,
  numberOf: (count: number) => number,
  prepareWrite: PrepareWrite = (batches) => () => engine.write(batches),
): Work {
  let added = 0
  return {
    isWriting: true,
    async prepare() {
      await engine.load(itemBatches(0, records))
    },
    trial(count) {
      const batchCount = Math.ceil(count / BATCH_LENGTH)
      const numbers = Array.from({ length: batchCount * BATCH_LENGTH }, () => numberOf(added++))
      const items = numbers.map(itemOf)
      const batches = Array.from({ length: batchCount }, (_, index) =>
        items.slice(index * BATCH_LENGTH, (index + 1) * BATCH_LENGTH),
      )
      return {
        units: numbers.length,
        run: prepareWrite(batches),
        async check() {
          for (let at = 0; at < numbers.length; at += 97) await checkRecord(engine, numbers[at]!)
        },
      }
    },
  }
}
