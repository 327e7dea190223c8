/**
 * Adds one to a number in a large value, again and again, on the condition that nothing in that value
 * has changed; in turn in each way that a condition can be checked. Says how often that went well.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { fromJson, parsePath } from '@elkyn/tree'
import type { KnownEtag, TreeStore, TreeWrite, WriteOutcome } from '@elkyn/tree'
import { openTree } from '../../src/index.ts'
import type { OpenTreeOptions } from '../../src/index.ts'

const { options, attempts } = workerData as { options: OpenTreeOptions; attempts: number }
const large = parsePath('/large')
const number = parsePath('/large/number')

function next(store: TreeStore): { write: TreeWrite; known: KnownEtag } {
  using snapshot = store.snapshot()
  const known = { etag: snapshot.etag(large), sequence: snapshot.sequence }
  const value = fromJson(Number(snapshot.get(number).node) + 1)
  const pairs = [{ path: number, value }]
  return { write: { pairs, precondition: { path: large, etag: known.etag } }, known }
}

const ways: readonly ((store: TreeStore) => WriteOutcome | Promise<WriteOutcome>)[] = [
  async (store) => store.write(next(store).write),
  (store) => store.commit([next(store).write])[0]!,
  (store) => {
    const { write, known } = next(store)
    return store.commit([{ ...write, precondition: { ...write.precondition!, known } }])[0]!
  },
]

await using tree = await openTree(options)
let successes = 0
for (let attempt = 0; attempt < attempts; attempt++) {
  if ((await ways[attempt % ways.length]!(tree.store)).ok) successes++
}
parentPort!.postMessage(successes)
