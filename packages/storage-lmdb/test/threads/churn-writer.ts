import { parentPort, workerData } from 'node:worker_threads'
import { fromJson, parsePath } from '@elkyn/tree'
import type { TreeWrite, WriteOutcome } from '@elkyn/tree'
import { openTree } from '../../src/index.ts'
import { arriveAndWait } from './barrier.ts'
import { valueOf } from './churn.ts'
import type { ChurnData, ChurnResult } from './churn.ts'

const { options, words, barrier, writer, commits, deadline } = workerData as ChurnData
await using tree = await openTree(options)
const place = parsePath(`/churn/${writer}`)
const counter = parsePath('/commits')
const sequences: number[] = []
let version = 0

function writesOf(next: number): TreeWrite[] {
  const value = fromJson(valueOf(next), { depth: 2 })
  const count: TreeWrite = {
    pairs: [{ path: counter, value: (current) => fromJson(Number(current.node ?? 0) + 1) }],
  }
  const refused: TreeWrite = { pairs: [{ path: place, value: null }], judge: () => new Error('no') }
  return [{ pairs: [{ path: place, value }] }, refused, count]
}

function record(outcomes: readonly WriteOutcome[]): void {
  for (const outcome of outcomes) {
    if (outcome.ok && outcome.sequence !== undefined) sequences.push(outcome.sequence)
  }
}

arriveAndWait(barrier)
while (version < commits || Date.now() < deadline) {
  const next = version + 1
  const writes = writesOf(next)
  // Both ways to write, and turns of the event loop in which rows are reclaimed.
  record(
    next % 3 === 0
      ? await Promise.all(writes.map(async (write) => tree.store.write(write)))
      : tree.store.commit(writes),
  )
  version = next
  Atomics.store(words, 1 + writer, version)
}
parentPort!.postMessage({ sequences, version } satisfies ChurnResult)
