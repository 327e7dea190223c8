/** Opens a folder at the same moment as other threads, writes once and says what it found. */
import { parentPort, workerData } from 'node:worker_threads'
import type { OpenTreeOptions } from '../../src/index.ts'
import { openTree } from '../../src/index.ts'
import { arriveAndWait } from './barrier.ts'

const { options, barrier, name } = workerData as {
  options: OpenTreeOptions
  barrier: Int32Array
  name: string
}
arriveAndWait(barrier)
const tree = await openTree(options)
const ids: string[] = []
const stop = tree.store.subscribe((changes) => ids.push(...changes.map(({ id }) => id)))
tree.setSync(`/${name}`, name)
const own = ids.at(-1)
arriveAndWait(barrier)
parentPort!.postMessage({ id: own, tree: tree.get('/') })
stop()
await tree.close()
