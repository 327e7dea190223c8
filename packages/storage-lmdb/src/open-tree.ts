import { isUint8Array } from 'node:util/types'
import { checkIndexDefinitions } from '@elkyn/tree'
import type { IndexDefinitions, WriterProgress } from '@elkyn/tree'
import { StorageError } from './errors.ts'
import { folderError } from './failures.ts'
import { lockFolder } from './folder-lock.ts'
import { takeTurn } from './folder-turn.ts'
import {
  checkData,
  checkDatabases,
  checkWritable,
  confirmData,
  createFolder,
  makeFolder,
  readFolder,
  removeWork,
} from './folder.ts'
import { Sealer } from './sealer.ts'
import { checkSealing } from './store-indexes.ts'
import type { LmdbTreeStoreOptions } from './store-options.ts'
import { LmdbTreeStore } from './store.ts'
import { Tree } from './tree.ts'

export interface OpenTreeOptions {
  /** Folder of the database, made when it is missing. */
  readonly path: string
  /**
   * Whether a database is made where there is none. Without, or with `readOnly`, that is an error, and nothing is
   * touched. Default: true.
   */
  readonly create?: boolean
  /**
   * `full`: a write that was answered is on the disk. `relaxed`: the disk is brought up to date once
   * a second, so that a power cut may take back the last second of writes, and on disks that reorder
   * writes may damage the file; a crash of the process loses nothing. Default: `full`.
   */
  readonly durability?: 'full' | 'relaxed'
  /** Opens an existing database for reading only; writes throw a `TypeError`. Default: false. */
  readonly readOnly?: boolean
  /**
   * 32 bytes that seal all values with AES-256-GCM, at most 2^32 of them. Names of keys, sizes and times stay
   * readable. Must be given each time, from the first on. Default: values are not sealed.
   */
  readonly encryptionKey?: Uint8Array
  /**
   * Bytes of key and value up to which a node is kept as one row. Changing it affects new writes
   * only. From 1 to 65,536. Default: 4,000.
   */
  readonly rowMaxBytes?: number
  /**
   * Bytes that the pages in use may take, those of the change log too. A write that needs more fails with
   * `ERR_STORE_FULL`, unless each of its values is `null` or has no more bytes of JSON than the one it replaces.
   * Default: no limit but the disk's.
   */
  readonly maxBytes?: number
  /**
   * Snapshots and threads that may read at once, in all threads together. One more fails with `ERR_TOO_MANY_SNAPSHOTS`.
   * A value below the largest one that the folder was ever opened with changes nothing. Default: 512.
   */
  readonly maxReaders?: number
  /**
   * Whether the tree is one database, or each child of its root one of several, as a server with
   * namespaces has them. A new folder remembers it, and is refused to who wants the other one. Default:
   * for a new folder `one`; others are taken as they are.
   */
  readonly databases?: 'one' | 'several'
  /** Where this thread shows that its write transactions go on. Default: nowhere. */
  readonly progress?: WriterProgress
  /**
   * By which fields the children of which places are indexed, such as `{ '/users': ['age', '$value'] }`;
   * `*` in a place stands for any key. A new one is built from what is there, in the background, and is
   * not used before that is done. One that is not given any more is dropped: `{}` drops all. Not together
   * with `encryptionKey`, since entries of an index show values. Default: those that are there.
   */
  readonly indexes?: IndexDefinitions
  /**
   * Whether a query by a child path or `$value` fails where there is no index of it. Without, it reads
   * and sorts all children of its place. Default: true.
   */
  readonly requireIndexes?: boolean
  /** How much of the change log is kept. */
  readonly log?: {
    /** Bytes. Default: 268,435,456. */
    readonly maxBytes?: number
    /** Milliseconds. Default: 7 days. */
    readonly maxAgeMs?: number
  }
  /**
   * Which clients with idempotency keys are remembered. One that is not, and has written before, is
   * told that the outcome is unknown, for as long as its name is known.
   */
  readonly clients?: {
    /** How many, those that wrote last. Default: 100,000. */
    readonly max?: number
    /** Milliseconds after their last write. Default: 7 days. */
    readonly maxAgeMs?: number
    /**
     * How many are still known by their names when their last write was forgotten: at least those that were
     * forgotten last, however long ago. A first write of one before them would be taken for that of a new client.
     * Default: 1,000,000.
     */
    readonly maxForgotten?: number
  }
}

const DAY_MS = 24 * 60 * 60 * 1000

/**
 * Opens the tree in a folder, for this thread. Other threads of the process open it for themselves;
 * other processes are refused.
 *
 * @throws {StorageError} `ERR_STORE_LOCKED`, `ERR_FORMAT_UNKNOWN`, `ERR_KEY_REQUIRED`,
 * `ERR_KEY_WRONG`, `ERR_FOLDER_INVALID` or `ERR_STORE_CORRUPT`; {@link TreeError} `ERR_STORE_FAILED` when LMDB can't open it.
 * @throws {RangeError} for an option out of its range; {@link TypeError} without a `path`, and for a key that is no bytes.
 */
export async function openTree(options: OpenTreeOptions): Promise<Tree> {
  const { path, encryptionKey: key, readOnly = false, create = true, databases } = options
  const mayCreate = create && !readOnly
  // Before anything is touched.
  storeOptions(options, '')
  // Once before the folder is touched, and again when nobody else can touch it any more.
  const there = readFolder(path, key)
  if (there !== undefined) checkDatabases(path, there, databases)
  if (there === undefined && !mayCreate) throw noDatabase(path)
  if (there === undefined) makeFolder(path)
  else checkWritable(path)
  try {
    const endTurn = await takeTurn(path)
    try {
      return await openInTurn(options)
    } finally {
      await endTurn()
    }
  } catch (error) {
    throw folderError(error, `Cannot open "${path}"`)
  }
}

async function openInTurn(options: OpenTreeOptions): Promise<Tree> {
  const { path, encryptionKey: key, readOnly = false, create = true, databases } = options
  const lock = await lockFolder(path)
  let store: LmdbTreeStore | undefined
  let isOpen = false
  try {
    const found = readFolder(path, key)
    if (found === undefined && (!create || readOnly)) throw noDatabase(path)
    const info = found ?? createFolder(path, key, databases)
    // Another thread may have made it meanwhile.
    checkDatabases(path, info, databases)
    const { epoch } = info
    await checkData(path, info, lock)
    const joins = readOnly && (await lock.isShared())
    const leave = async (closeData: () => Promise<void>): Promise<void> => {
      const endTurn = isOpen ? await takeLastTurn(path) : undefined
      try {
        await closeData()
      } finally {
        await lock.release()
        await endTurn?.()
      }
    }
    store = new LmdbTreeStore({ ...storeOptions(options, epoch), joins, leave })
    if (!readOnly) {
      confirmData(path, info)
      tidy(path)
    }
    isOpen = true
    return new Tree(store, key, info.databases)
  } catch (error) {
    if (store === undefined) await lock.release()
    else await store.close()
    throw error
  }
}

/** To close what is open is always possible. */
async function takeLastTurn(path: string): Promise<(() => Promise<void>) | undefined> {
  try {
    return await takeTurn(path)
  } catch {
    // The folder is gone, or there is no room for a socket in it: nobody else can open it either.
    return undefined
  }
}

/** That something is left which takes room is no reason not to open. */
function tidy(path: string): void {
  try {
    removeWork(path)
  } catch {
    // Who opens the folder next tries again.
  }
}

function noDatabase(path: string): StorageError {
  const message = `Cannot open "${path}": there is no database in it`
  return new StorageError('ERR_FOLDER_INVALID', message)
}

/** Checks the options and fills in what they leave out. @throws {RangeError} @throws {TypeError} */
export function storeOptions(options: OpenTreeOptions, epoch: string): LmdbTreeStoreOptions {
  const { path, encryptionKey: key, log = {}, clients = {} } = options
  if (typeof path !== 'string' || path === '') {
    throw new TypeError('Cannot open: the option path has to name a folder')
  }
  if (key !== undefined && !isUint8Array(key)) {
    throw new TypeError('Cannot use an encryption key that is not a Uint8Array: a key is 32 bytes')
  }
  if (key !== undefined && key.length !== 32) {
    throw new RangeError(`Cannot use an encryption key of ${key.length} bytes: it has 32`)
  }
  const { durability = 'full' } = options
  if (durability !== 'full' && durability !== 'relaxed') {
    throw new RangeError(`Cannot open with durability "${durability as string}": full or relaxed`)
  }
  const { databases } = options
  if (databases !== undefined && databases !== 'one' && databases !== 'several') {
    throw new RangeError(`Cannot open for databases "${databases as string}": one or several`)
  }
  const sealer = key && new Sealer(key)
  const indexes = options.indexes && checkIndexDefinitions(options.indexes)
  checkSealing(indexes ?? [], sealer)
  return {
    path,
    epoch,
    joins: false,
    readOnly: options.readOnly ?? false,
    progress: options.progress,
    durability,
    rowMaxBytes: checked('rowMaxBytes', options.rowMaxBytes ?? ROW_MAX_BYTES, 1, 65_536),
    maxBytes: checked('maxBytes', options.maxBytes ?? Infinity, 0, Infinity),
    maxReaders: checked('maxReaders', options.maxReaders ?? 512, 1, 65_536),
    log: {
      maxBytes: checked('log.maxBytes', log.maxBytes ?? 256 * 1024 * 1024, 0, Infinity),
      maxAgeMs: checked('log.maxAgeMs', log.maxAgeMs ?? 7 * DAY_MS, 0, Infinity),
    },
    clients: {
      max: checked('clients.max', clients.max ?? 100_000, 1, Infinity),
      maxAgeMs: checked('clients.maxAgeMs', clients.maxAgeMs ?? 7 * DAY_MS, 0, Infinity),
      maxForgotten: checked('clients.maxForgotten', clients.maxForgotten ?? 1_000_000, 0, Infinity),
    },
    indexes,
    requireIndexes: options.requireIndexes ?? true,
    sealer,
  }
}

/** The longest row that fits one page of LMDB beside its header; decisions/ has the measurements. */
const ROW_MAX_BYTES = 4000

function checked(name: string, value: number, least: number, most: number): number {
  const isWhole = Number.isInteger(value) || value === Infinity
  if (isWhole && value >= least && value <= most) return value
  throw new RangeError(
    `Cannot open with ${name} ${value}: it is a whole number from ${least} to ${most}`,
  )
}
