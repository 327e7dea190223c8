/*
 * Node stops its threads before it ends the process. One that is stopped within a write transaction keeps a lock of
 * lmdb's, for which its own end then waits (`cleanupStrayTxns` in lmdb 3.5.6), so that the process would neither end
 * nor let go of the folder. So, when the main thread ends the process, all threads finish the transactions that they
 * are in, and begin no other.
 *
 * The words for this are made in the main thread. Threads that are started after that find them in their environment
 * data, as do other copies of this package.
 */
import { isSharedArrayBuffer } from 'node:util/types'
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads'

const KEY = '@elkyn/storage-lmdb: write transactions'

export const Word = {
  /** How many write transactions are open, or wait for another one, and are not being committed. */
  open: 0,
  /** How many are being committed, or were when their thread was terminated. */
  commits: 1,
  /** 1 when the process ends. */
  ends: 2,
} as const
const BYTES = 12

/** How long the end of the process waits for those that are open, in milliseconds. */
const PATIENCE_MS = 10_000

/**
 * The same for commits. LMDB does those without JavaScript: a thread that is stopped there gives the lock back before it ends.
 * Only what leads to it must not be cut off, which is over in microseconds, unless the thread is kept from going on.
 */
const COMMIT_PATIENCE_MS = 2000

let words: Int32Array | undefined

/** Those of this thread: one in another, which is about another folder. */
let own = 0

/** Has the end of the process wait for transactions of this thread, and of those that the main thread starts. */
export function prepareEnd(): void {
  words ??= processWords()
}

/**
 * Does what holds LMDB's lock for writing. Does not return when it would begin while the process ends.
 *
 * @param work Calls what it is given when all that is left is to commit.
 */
export function writeTransaction<T>(work: (commits: () => void) => T): T {
  const all = words
  if (all === undefined) return work(() => {})
  enter(all)
  let word: number = Word.open
  const commits = (): void => {
    Atomics.add(all, Word.commits, 1)
    leave(all, word)
    word = Word.commits
  }
  try {
    return work(commits)
  } finally {
    leave(all, word)
    own--
  }
}

function enter(all: Int32Array): void {
  Atomics.add(all, Word.open, 1)
  // Who is in another one has to end that, and the main thread may still write, in listeners of its own for the end.
  if (own === 0 && !isMainThread && Atomics.load(all, Word.ends) === 1) {
    leave(all, Word.open)
    // This is where the thread is stopped. If it is not, somebody has only told the listeners.
    Atomics.wait(all, Word.ends, 1, 2 * PATIENCE_MS)
    Atomics.add(all, Word.open, 1)
  }
  own++
}

function leave(all: Int32Array, word: number): void {
  Atomics.sub(all, word, 1)
  if (Atomics.load(all, Word.ends) === 1) Atomics.notify(all, word)
}

export function processWords(): Int32Array | undefined {
  const shared = getEnvironmentData(KEY)
  if (isSharedArrayBuffer(shared)) return new Int32Array(shared)
  // Then nobody could wait.
  if (!isMainThread) return undefined
  const made = new SharedArrayBuffer(BYTES)
  setEnvironmentData(KEY, made)
  const all = new Int32Array(made)
  let thrown: unknown
  process.on('uncaughtExceptionMonitor', (error) => {
    if (process.listenerCount('uncaughtException') === 0) thrown = error
  })
  // Before the listeners that are there: behind one that calls `process.exit()` there are none.
  process.prependListener('exit', () => {
    if (waitForWrites(all)) return
    // Node would print it after this.
    if (thrown !== undefined) console.error(thrown)
    process.abort()
  })
  return all
}

/** Waits for the write transactions of other threads. @returns whether none of them is open */
function waitForWrites(all: Int32Array): boolean {
  Atomics.store(all, Word.ends, 1)
  if (!waitFor(all, Word.open, own, PATIENCE_MS)) return false
  waitFor(all, Word.commits, 0, COMMIT_PATIENCE_MS)
  return true
}

/** Waits until a word has fallen so far. @returns whether it has */
function waitFor(all: Int32Array, word: number, least: number, patienceMs: number): boolean {
  const end = performance.now() + patienceMs
  for (;;) {
    const seen = Atomics.load(all, word)
    if (seen <= least) return true
    const left = end - performance.now()
    if (left <= 0) return false
    Atomics.wait(all, word, seen, left)
  }
}
