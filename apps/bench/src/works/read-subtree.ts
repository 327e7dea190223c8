import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Engine } from '../engines/engine.ts'
import { itemOf } from '../records.ts'
import { itemBatches } from './work.ts'
import type { Work } from './work.ts'

/** Reads the whole list at once. Its size is that of its JSON, for every engine. */
export function readSubtree(engine: Engine, records: number): Work {
  const expected = expectedList(records)
  return {
    isWriting: false,
    async prepare() {
      await engine.load(itemBatches(0, records))
      const json = engine.list?.()
      if (json !== undefined)
        assert.equal(createHash('sha1').update(json).digest('hex'), expected.sha1)
    },
    trial(count) {
      let bytes = 0
      return {
        units: count * expected.jsonBytes,
        async run() {
          for (let times = 0; times < count; times++) bytes += await engine.scan()
        },
        async check() {
          const isComplete = [expected.jsonBytes, expected.rowBytes].includes(bytes / count)
          assert.ok(isComplete, `${bytes} bytes in ${count} scans`)
        },
      }
    },
  }
}

interface ExpectedList {
  readonly sha1: string
  readonly jsonBytes: number
  /** Bytes of all keys and records without what JSON puts between them. */
  readonly rowBytes: number
}

function expectedList(records: number): ExpectedList {
  const hash = createHash('sha1')
  let jsonBytes = 0
  let rowBytes = 0
  for (let number = 0; number < records; number++) {
    const { key, json } = itemOf(number)
    const name = `${number === 0 ? '{' : ','}"${key}":`
    hash.update(name).update(json)
    jsonBytes += name.length + json.length
    rowBytes += key.length + json.length
  }
  return { sha1: hash.update('}').digest('hex'), jsonBytes: jsonBytes + 1, rowBytes }
}
