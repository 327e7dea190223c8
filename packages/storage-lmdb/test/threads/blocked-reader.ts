/** Reads in each of the ways there are, blocks until it is woken, and says what it reads then. */
import { parentPort, workerData } from 'node:worker_threads'
import { parsePath } from '@elkyn/tree'
import { openTree } from '../../src/index.ts'
import type { OpenTreeOptions } from '../../src/index.ts'

const { options, word } = workerData as { options: OpenTreeOptions; word: Int32Array }
await using tree = await openTree(options)
tree.idle()
tree.get('/')
tree.keys('/')
tree.stats()
{
  using snapshot = tree.store.snapshot()
  for (const _ of snapshot.jsonBlocks(parsePath('/')) ?? []) break
}
tree.idle()
tree.idle()
parentPort!.postMessage('blocking')
Atomics.wait(word, 0, 0)
parentPort!.postMessage(tree.get('/rows/r0/n'))
