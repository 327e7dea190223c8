/** Opens and closes a folder at about the same moments as other threads. */
import { parentPort, workerData } from 'node:worker_threads'
import type { OpenTreeOptions } from '../../src/index.ts'
import { openTree } from '../../src/index.ts'
import { arriveAndWait } from './barrier.ts'

const { options, barrier, rounds } = workerData as {
  options: OpenTreeOptions
  barrier: Int32Array
  rounds: number
}
for (let round = 0; round < rounds; round++) {
  arriveAndWait(barrier)
  // As long as an opening may take: each begins somewhere in that of another one.
  const begin = performance.now() + 1.5 * Math.random()
  while (performance.now() < begin);
  const tree = await openTree(options)
  if (options.readOnly !== true) tree.setSync('/round', round)
  // Now and then the last one closes as the next one opens.
  if (round % 2 === 0) arriveAndWait(barrier)
  await tree.close()
}
parentPort!.postMessage('done')
