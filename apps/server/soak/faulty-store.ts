import process from 'node:process'
import { lmdbStorage } from '@elkyn/storage-lmdb'
import type {
  OpenStoreOptions,
  Path,
  StoreDescriptor,
  StoreModule,
  TreeSnapshot,
  TreeStore,
  TreeWrite,
} from '@elkyn/tree'

/** What goes wrong when one reads or writes `/faults/<name>/<number>`. */
export type FaultName = 'cursed' | 'deadly' | 'inside' | 'stall' | 'throw' | 'uncaught'

/** Of the error that a write throws. */
export const wantedMessage = 'A write has failed, as it was asked to'

interface FaultyOptions {
  readonly inner: StoreDescriptor
  /** One word: the last number of a deadly read that has ended a thread. */
  readonly words: SharedArrayBuffer
}

/** A store in a folder, whose threads fail where the path says so. */
export function faultyStorage(path: string): StoreDescriptor {
  const options: FaultyOptions = {
    inner: lmdbStorage({ path }),
    words: new SharedArrayBuffer(8),
  }
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
      return overriding(snapshot, {
        jsonBlocks: (...parameters: Parameters<TreeSnapshot['jsonBlocks']>) => {
          failRead(parameters[0], words)
          return snapshot.jsonBlocks(...parameters)
        },
      })
    },
    write: (write: TreeWrite) => failWrite(store, write, words),
  })
}

function faultIn(
  path: Path | undefined,
): { readonly name: string; readonly number: number } | undefined {
  if (path === undefined) return undefined
  const [, folder, name = '', number] = path.split('/')
  return folder === 'faults' ? { name, number: Number(number) } : undefined
}

function failRead(path: Path, words: Int32Array): void {
  const fault = faultIn(path)
  if (fault?.name === 'cursed') process.exit(3)
  if (fault?.name !== 'deadly' || Atomics.load(words, 0) >= fault.number) return
  // Only the first thread that is asked.
  Atomics.store(words, 0, fault.number)
  process.exit(3)
}

async function failWrite(
  store: TreeStore,
  write: TreeWrite,
  words: Int32Array,
): ReturnType<TreeStore['write']> {
  switch (faultIn(write.pairs[0]?.path)?.name ?? '') {
    case 'throw':
      throw new Error(wantedMessage)
    case 'uncaught':
      setImmediate(() => {
        throw new Error('Nobody catches this, as it was asked for')
      })
      return store.write(write)
    case 'stall':
      // As a native call that never returns.
      Atomics.wait(words, 1, 0)
      return store.write(write)
    case 'inside':
      return store.write({
        pairs: write.pairs.map(({ path }) => ({ path, value: () => process.exit(4) })),
      })
    default:
      return store.write(write)
  }
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
