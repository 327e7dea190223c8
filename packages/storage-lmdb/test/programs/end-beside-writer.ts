/**
 * Starts two threads that write to a folder: one is in a write transaction, the other one waits for that. Then the main
 * thread ends the process, and lets the transaction go on.
 *
 * @param path Of the folder.
 * @param how The main thread ends: `exit`, with code 3, `throw`, or `listener`, with code 4 by a listener for `exit` that was there
 * before.
 * @param module What the main thread loads of this package.
 * @param lasts Whether the transaction goes on: `a while` or `for ever`.
 */
import { once } from 'node:events'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'

interface Data {
  readonly path: string
  /** Becomes 1 when the transaction may go on. */
  readonly goesOn: Int32Array
}

if (isMainThread) await endBesideWriters()
else await write(workerData as Data)

async function endBesideWriters(): Promise<void> {
  const [path = '', how = '', module = '', lasts = ''] = process.argv.slice(2)
  if (how === 'listener') process.on('exit', () => process.exit(4))
  if (module === 'index') await import('../../src/index.ts')
  else (await import('../../src/lmdb-storage.ts')).lmdbStorage({ path })
  const goesOn = new Int32Array(new SharedArrayBuffer(4))
  const data: Data = { path, goesOn }
  const workers = ['/a', '/b'].map(
    (place) => new Worker(new URL(import.meta.url), { workerData: data, argv: [place] }),
  )
  await Promise.all(workers.map(async (worker) => once(worker, 'message')))
  for (const worker of workers) worker.postMessage('write')
  await Promise.race(workers.map(async (worker) => once(worker, 'message')))
  process.prependListener('exit', () => {
    if (lasts === 'for ever') return
    Atomics.store(goesOn, 0, 1)
    Atomics.notify(goesOn, 0)
  })
  if (how === 'throw') throw new Error('a fault of the main thread')
  process.exit(3)
}

async function write({ path, goesOn }: Data): Promise<void> {
  const [, , place = ''] = process.argv
  const { openTree } = await import('../../src/index.ts')
  const tree = await openTree({ path })
  parentPort?.once('message', () => {
    void tree.transaction(place, () => {
      parentPort?.postMessage('writes')
      Atomics.wait(goesOn, 0, 0)
      // Enough to be in the middle of it for a while.
      return Object.fromEntries(Array.from({ length: 2_000 }, (_, row) => [`r${row}`, row]))
    })
  })
  parentPort?.postMessage('open')
}
