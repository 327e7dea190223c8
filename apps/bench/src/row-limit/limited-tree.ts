import assert from 'node:assert/strict'
import { openTree } from '@elkyn/storage-lmdb'
import { parseJson, parsePath } from '@elkyn/tree'
import type { TreeWrite } from '@elkyn/tree'
import { LIST, randomNumbers, recordKey } from '../records.ts'
import type { SizedRecords } from './sized-records.ts'

export const operations = [
  'read a record',
  'read a leaf',
  'update a leaf',
  'insert',
  'scan',
] as const
export type Operation = (typeof operations)[number]

/** A tree with one row limit, filled with the records of one case. */
export interface LimitedTree extends AsyncDisposable {
  readonly rowMaxBytes: number
  /** Bytes on the disk for each byte of JSON, without the change log. */
  readonly diskPerByte: number
  /** Does an operation `count` times and makes sure that it was done. @returns its speed: operations or bytes a second. */
  measure(operation: Operation, count: number): number
}

export interface LimitedTreeOptions {
  readonly folder: string
  readonly rowMaxBytes: number
  readonly records: SizedRecords
  /** Bytes of JSON to begin with. */
  readonly totalBytes: number
}

const BATCH_LENGTH = 64

/** Opens and fills a tree; what it then gives back is compared with what was put in. */
export async function openLimitedTree(options: LimitedTreeOptions): Promise<LimitedTree> {
  const { rowMaxBytes, records } = options
  const log = { maxBytes: 0 }
  const tree = await openTree({ path: options.folder, rowMaxBytes, log })
  const random = randomNumbers(3)
  const loaded = Math.ceil(options.totalBytes / records.bytes)
  let next = 0
  let updates = 0

  const commit = (writes: readonly TreeWrite[]): void => {
    for (const outcome of tree.store.commit(writes)) if (!outcome.ok) throw outcome.error
  }
  const insertBatch = (): TreeWrite[] =>
    Array.from({ length: BATCH_LENGTH }, () => {
      const path = parsePath(pathOf(next))
      return { pairs: [{ path, value: parseJson(records.jsonOf(next++), { depth: 2 }) }] }
    })
  const pick = (): number => Math.floor(random() * loaded)
  const pathsOf = (count: number, below: string): string[] =>
    Array.from({ length: count }, () => pathOf(pick()) + below)

  const run: Readonly<Record<Operation, (count: number) => Timed>> = {
    'read a record'(count) {
      const paths = pathsOf(count, '')
      return timed(count, () => {
        for (const path of paths) tree.getJson(path)!
      })
    },
    'read a leaf'(count) {
      const paths = pathsOf(count, `/${records.leaf}`)
      return timed(count, () => {
        for (const path of paths) tree.getJson(path)!
      })
    },
    'update a leaf'(count) {
      const batches = batchesOf(pathsOf(count, `/${records.leaf}`)).map((paths) =>
        paths.map((path): TreeWrite => ({
          pairs: [{ path: parsePath(path), value: `update ${++updates}` }],
        })),
      )
      const result = timed(count, () => batches.forEach(commit))
      const last = batches.at(-1)!.at(-1)!.pairs[0]!
      assert.equal(tree.get(last.path), last.value)
      return result
    },
    insert(count) {
      const batches = Array.from({ length: Math.ceil(count / BATCH_LENGTH) }, insertBatch)
      const result = timed(batches.length * BATCH_LENGTH, () => batches.forEach(commit))
      assert.equal(text(tree.getJson(pathOf(next - 1))), records.jsonOf(next - 1))
      return result
    },
    scan(count) {
      let bytes = 0
      const { ms } = timed(0, () => {
        for (let times = 0; times < count; times++) {
          using snapshot = tree.store.snapshot()
          for (const block of snapshot.jsonBlocks(parsePath(LIST))!) bytes += block.length
        }
      })
      return { units: bytes, ms }
    },
  }

  for (let batch = 0; batch * BATCH_LENGTH < loaded; batch++) commit(insertBatch())
  for (let number = 0; number < loaded; number += Math.ceil(loaded / 100)) {
    assert.equal(text(tree.getJson(pathOf(number))), records.jsonOf(number))
  }
  const { fileBytes, freeBytes } = tree.stats()
  return {
    rowMaxBytes,
    diskPerByte: (fileBytes - freeBytes) / (loaded * records.bytes),
    measure(operation, count) {
      globalThis.gc?.()
      const { units, ms } = run[operation](count)
      return (units / ms) * 1000
    },
    [Symbol.asyncDispose]: async () => tree.close(),
  }
}

interface Timed {
  readonly units: number
  readonly ms: number
}

function timed(units: number, work: () => void): Timed {
  const start = performance.now()
  work()
  return { units, ms: performance.now() - start }
}

function pathOf(number: number): string {
  return `/${LIST}/${recordKey(number)}`
}

function text(json: Uint8Array | undefined): string {
  return Buffer.from(json ?? []).toString()
}

function batchesOf<Item>(items: readonly Item[]): Item[][] {
  const batches: Item[][] = []
  for (let at = 0; at < items.length; at += BATCH_LENGTH) {
    batches.push(items.slice(at, at + BATCH_LENGTH))
  }
  return batches
}
