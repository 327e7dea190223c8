/** Reads once, in each of the ways there are, and then waits for a message that ends it. */
import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { parsePath } from '@elkyn/tree'
import { openTree } from '../../src/index.ts'
import type { OpenTreeOptions } from '../../src/index.ts'

await using tree = await openTree(workerData as OpenTreeOptions)
tree.get('/')
tree.keys('/')
tree.stats()
{
  using snapshot = tree.store.snapshot()
  for (const _ of snapshot.jsonBlocks(parsePath('/')) ?? []) break
}
parentPort!.postMessage('idle')
await once(parentPort!, 'message')
