/*
 * Node stops its threads before it ends the process. One that is stopped within a write transaction keeps a lock of
 * lmdb's, for which its own end then waits (`cleanupStrayTxns` in lmdb 3.5.6), so that the process would neither end
 * nor let go of the folder. So, when the main thread ends the process, all threads finish the transactions that they
 * are in, and begin no other.
 *
 * The words for this are made in the main thread. Threads that are started after that find them in their environment
 * data, as do other copies of this package.
 */
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads'

const KEY = '@elkyn/storage-lmdb: write transactions'

const Word = {
  /** How many write transactions are open, or wait for another one. */
  open: 0,
  /** 1 when the process ends. */
  ends: 1,
} as const
const BYTES = 8

/** How long the end of the process waits for them. */
const PATIENCE_MS = 5000

let words: Int32Array | undefined

/** Those of this thread: one in another, which is about another folder. */
let own = 0

/** Has the end of the process wait for transactions of this thread, and of those that the main thread starts. */
export function prepareEnd(): void {
  words ??= processWords()
}

/** Does what holds LMDB's lock for writing. Does not return when it would begin while the process ends. */
export function writeTransaction<T>(work: () => T): T {
  if (words === undefined) return work()
  enter(words)
  try {
    return work()
  } finally {
    leave(words)
  }
}

function enter(all: Int32Array): void {
  Atomics.add(all, Word.open, 1)
  // Who is in another one has to end that, and the main thread may still write, in listeners of its own for the end.
  if (own === 0 && !isMainThread && Atomics.load(all, Word.ends) === 1) {
    Atomics.sub(all, Word.open, 1)
    Atomics.notify(all, Word.open)
    // This is where the thread is stopped. If it is not, somebody has only told the listeners.
    Atomics.wait(all, Word.ends, 1, 2 * PATIENCE_MS)
    Atomics.add(all, Word.open, 1)
  }
  own++
}

function leave(all: Int32Array): void {
  own--
  Atomics.sub(all, Word.open, 1)
  if (Atomics.load(all, Word.ends) === 1) Atomics.notify(all, Word.open)
}

function processWords(): Int32Array | undefined {
  const shared = getEnvironmentData(KEY) as unknown as SharedArrayBuffer | undefined
  if (shared !== undefined) return new Int32Array(shared)
  // Then nobody could wait.
  if (!isMainThread) return undefined
  const made = new SharedArrayBuffer(BYTES)
  setEnvironmentData(KEY, made)
  const all = new Int32Array(made)
  let thrown: unknown
  process.on('uncaughtExceptionMonitor', (error) => (thrown = error))
  process.on('exit', () => {
    if (waitForWrites(all)) return
    // Node would print it after this.
    if (thrown !== undefined) console.error(thrown)
    process.abort()
  })
  return all
}

/** Waits for the write transactions of other threads. @returns whether they have ended */
function waitForWrites(all: Int32Array): boolean {
  Atomics.store(all, Word.ends, 1)
  const end = performance.now() + PATIENCE_MS
  for (;;) {
    const open = Atomics.load(all, Word.open)
    if (open <= own) return true
    const left = end - performance.now()
    if (left <= 0) return false
    Atomics.wait(all, Word.open, open, left)
  }
}
