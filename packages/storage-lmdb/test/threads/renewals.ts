/** Reads after each of a million commits without a turn of the event loop, and says how the heap grew. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { parentPort, workerData } from 'node:worker_threads'
import { SharedWord } from '../../src/lmdb.ts'
import { ROOT_NAME, TOP_HEAD } from '../../src/place.ts'
import { Readers } from '../../src/readers.ts'
import { openLmdb } from '../open-lmdb.ts'

const { path, renewals } = workerData as { path: string; renewals: number }
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const lmdb = openLmdb(path)
const readers = new Readers(lmdb)

function renew(times: number): void {
  for (let count = 0; count < times; count++) {
    Atomics.add(lmdb.shared, SharedWord.commits, 1)
    const reader = readers.acquire()
    reader.entry(TOP_HEAD, ROOT_NAME)
    readers.release(reader)
  }
  collectGarbage()
}

renew(renewals / 10)
const before = process.memoryUsage().heapUsed
renew(renewals)
const grown = process.memoryUsage().heapUsed - before
const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
readers.close()
await lmdb.close()
parentPort!.postMessage({ grown, timers })
