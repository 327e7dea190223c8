import process from 'node:process'
import { TreeError } from '@elkyn/tree'
import type {
  OpenStoreOptions,
  Path,
  StoreDescriptor,
  StoreModule,
  TreeSnapshot,
  TreeStore,
  TreeWrite,
} from '@elkyn/tree'
import { lmdbStorage } from '@elkyn/storage-lmdb'

/** Words that the threads of a test share with it. */
export const FaultWord = {
  /** Snapshots so far. */
  Opened: 0,
  /** How many more reads of `/deadly` end their thread. */
  Deaths: 1,
  /** While it is 0, reads of `/gate` and writes to it wait. */
  Gate: 2,
  /** Reads and writes that have arrived at the gate. */
  AtGate: 3,
  Closed: 4,
  /** Threads that read the third block of `/scanned`, or count the children of `/counted`, at this moment. */
  Scanning: 5,
} as const

export const faultWordsBytes = 24

interface FaultyOptions {
  readonly inner: StoreDescriptor
  readonly words: SharedArrayBuffer
}

/** A store in a folder, whose threads fail as the path says that they are asked for. */
export function faultyStorage(path: string, words: SharedArrayBuffer): StoreDescriptor {
  const options: FaultyOptions = { inner: lmdbStorage({ path }), words }
  return { module: import.meta.url, options }
}

export async function openStore(options: unknown, how: OpenStoreOptions): Promise<TreeStore> {
  const { inner, words } = options as FaultyOptions
  const module = (await import(inner.module)) as StoreModule
  return faulty(await module.openStore(inner.options, how), new Int32Array(words))
}

function faulty(store: TreeStore, words: Int32Array): TreeStore {
  return overriding(store, {
    snapshot: () => {
      const snapshot = store.snapshot()
      Atomics.add(words, FaultWord.Opened, 1)
      Atomics.notify(words, FaultWord.Opened)
      let isOpen = true
      return overriding(snapshot, {
        close: () => {
          if (isOpen) Atomics.add(words, FaultWord.Closed, 1)
          Atomics.notify(words, FaultWord.Closed)
          isOpen = false
          snapshot.close()
        },
        query: (...parameters: Parameters<TreeSnapshot['query']>) => {
          if (parameters[0] === '/crowded') throw new TreeError('ERR_TOO_MANY_SNAPSHOTS', 'secret')
          const result = snapshot.query(...parameters)
          if (parameters[0] !== '/counted') return result
          return overriding(result, { countSteps: () => counted(words) })
        },
        jsonBlocks: (...parameters: Parameters<TreeSnapshot['jsonBlocks']>) => {
          read(parameters[0], words)
          const blocks = snapshot.jsonBlocks(...parameters)
          if (blocks === undefined) return blocks
          return (wrappers[parameters[0]] ?? same)(blocks, words)
        },
      })
    },
    write: async (write: TreeWrite) => {
      await fail(write.pairs[0]?.path, words)
      return store.write(write)
    },
  })
}

function read(path: Path, words: Int32Array): void {
  if (path === '/deadly' && Atomics.sub(words, FaultWord.Deaths, 1) > 0) process.exit(3)
  if (path === '/gate') waitAtGate(words)
}

type WrapBlocks = (blocks: Iterable<Uint8Array>, words: Int32Array) => Iterable<Uint8Array>

const same: WrapBlocks = (blocks) => blocks
const wrappers: Readonly<Record<string, WrapBlocks>> = {
  '/scanned': scanned,
  '/endless': endless,
  '/dying': dying,
}

// More than these are read only of an answer that is known to be large.
const looks = 2

/** The same blocks. Counts the threads that read the third one, and keeps each there until the gate is open. */
function* scanned(blocks: Iterable<Uint8Array>, words: Int32Array): Generator<Uint8Array> {
  let count = 0
  for (const block of blocks) {
    yield block
    if (++count !== looks) continue
    Atomics.add(words, FaultWord.Scanning, 1)
    waitAtGate(words)
    Atomics.sub(words, FaultWord.Scanning, 1)
  }
}

/** Counts nothing in more than one slice. Counts the threads that have come so far, and keeps each there until the gate is open. */
function* counted(words: Int32Array): Generator<undefined, number, void> {
  const turn = new AbortController()
  setImmediate(() => turn.abort())
  while (!turn.signal.aborted) yield
  Atomics.add(words, FaultWord.Scanning, 1)
  waitAtGate(words)
  Atomics.sub(words, FaultWord.Scanning, 1)
  return 0
}

/** The same blocks, of which no thread gets to the third one. */
function* dying(blocks: Iterable<Uint8Array>, words: Int32Array): Generator<Uint8Array> {
  let count = 0
  for (const block of blocks) {
    yield block
    if (++count < looks) continue
    Atomics.sub(words, FaultWord.Deaths, 1)
    process.exit(3)
  }
}

/** The same blocks, and the first one again and again until the gate is open. */
function* endless(blocks: Iterable<Uint8Array>, words: Int32Array): Generator<Uint8Array> {
  for (const block of blocks) {
    const copy = Uint8Array.from(block)
    do yield copy
    while (Atomics.load(words, FaultWord.Gate) === 0)
  }
}

async function fail(path: Path | undefined, words: Int32Array): Promise<void> {
  if (path === '/throw') throw new Error('A write has failed')
  if (path === '/failed') throw new TreeError('ERR_STORE_FAILED', 'The disk has failed')
  if (path === '/gate') waitAtGate(words)
  if (path === '/uncaught') {
    setImmediate(() => {
      throw new Error('Nobody has caught this')
    })
    await new Promise(() => {})
  }
}

// Blocks the thread, as a native call does that never returns.
function waitAtGate(words: Int32Array): void {
  Atomics.add(words, FaultWord.AtGate, 1)
  Atomics.notify(words, FaultWord.AtGate)
  Atomics.wait(words, FaultWord.Gate, 0)
}

function overriding<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get: (object, name) => {
      const own: unknown = Reflect.get(methods, name)
      if (own !== undefined) return own
      const member: unknown = Reflect.get(object, name)
      return typeof member === 'function' ? member.bind(object) : member
    },
  })
}
