import { randomBytes } from 'node:crypto'
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { threadId } from 'node:worker_threads'
import { checkDataFile } from './data-file.ts'
import { StorageError } from './errors.ts'
import { messageOf, storeError } from './failures.ts'
import type { FolderLock } from './folder-lock.ts'
import { isKeyCheck, keyCheck } from './sealer.ts'

/** Of a folder that is made: what is stored is nobody else's business on this machine. */
const privateMode = 0o700

/** What this version writes, and the only one it reads. */
const FORMAT_VERSION = 1

/** `elkyn.json`: what has to be known of a data folder before LMDB opens (and thereby changes) it. */
export interface FolderInfo {
  readonly formatVersion: number
  /** Names this history of the data; a backup begins a new one. */
  readonly epoch: string
  /** Tells whether a key is the one that the values were sealed with. Missing: they are not sealed. */
  readonly keyCheck?: string
  /** `true`: the data file was made, and is on the disk. Where it is not, it was lost. */
  readonly hasData?: true
  /** `several`: what lies right below the root are databases of their own. Missing: the tree is one. */
  readonly databases?: 'several'
}

/** Whether a tree is one database, or each child of its root one. */
export type Databases = 'one' | 'several'

const INFO_FILE = 'elkyn.json'
const DATA_FILE = 'data.mdb'

/** Where a compaction makes the new data file: inside the folder, so that it can take the old one's place. */
export function workFolder(path: string): string {
  return join(path, 'compacting')
}

/**
 * Removes what a compaction has left that did not come to its end. Only for who holds the folder: then none is
 * running, for it lets in nobody, and does not begin where somebody is.
 */
export function removeWork(path: string): void {
  rmSync(workFolder(path), { recursive: true, force: true })
}

/**
 * Reads the folder's `elkyn.json`; `undefined` where no database is yet. Touches nothing.
 *
 * @throws {StorageError} `ERR_FORMAT_UNKNOWN`, `ERR_KEY_REQUIRED`, `ERR_KEY_WRONG`, and
 * `ERR_FOLDER_INVALID` for a folder that can't be read or whose `elkyn.json` is damaged or missing.
 */
export function readFolder(path: string, key: Uint8Array | undefined): FolderInfo | undefined {
  let info = readInfo(path)
  if (info === undefined) {
    if (!existsSync(join(path, DATA_FILE))) return undefined
    // Another thread may have made both meanwhile, this one first.
    info = readInfo(path)
  }
  if (info === undefined) {
    throw new StorageError(
      'ERR_FOLDER_INVALID',
      `Cannot open "${path}": it has a data.mdb but no ${INFO_FILE}, so that nobody knows what it is`,
    )
  }
  if (info.formatVersion !== FORMAT_VERSION) {
    throw new StorageError(
      'ERR_FORMAT_UNKNOWN',
      `Cannot open "${path}": it has format ${info.formatVersion}, this version knows ${FORMAT_VERSION}`,
    )
  }
  checkKey(path, info, key)
  return info
}

/**
 * Who only reads has to be able to write too: what keeps other processes away is made in the folder.
 * @throws {StorageError} `ERR_FOLDER_INVALID`
 */
export function checkWritable(path: string): void {
  try {
    accessSync(path, constants.W_OK)
  } catch (cause) {
    throw new StorageError(
      'ERR_FOLDER_INVALID',
      `Cannot open "${path}": it has to be writable, also to read from it: ${messageOf(cause)}`,
      { cause },
    )
  }
}

/** Makes the folder itself, for its owner alone, so that it can be locked. @throws {StorageError} `ERR_FOLDER_INVALID`. */
export function makeFolder(path: string): void {
  try {
    const first = makeFolders(path, privateMode)
    accessSync(path, constants.W_OK)
    if (first !== undefined) syncNames(resolve(first), resolve(path))
  } catch (cause) {
    throw unusable(path, cause)
  }
}

/**
 * Makes a folder and those above it, and tells the first one that was not there. Node's own way, the option
 * `recursive`, never ends below a folder that answers ENOENT although it is there, as `/proc` does.
 */
function makeFolders(path: string, mode?: number): string | undefined {
  const parent = dirname(path)
  const first = parent === path || existsSync(parent) ? undefined : makeFolders(parent)
  try {
    mkdirSync(path, mode)
  } catch (error) {
    // It may have been there before, or somebody else has just made it.
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw error
    return first
  }
  return first ?? path
}

/** Has the names of new folders, from the first one down to the last, on the disk. */
function syncNames(first: string, last: string): void {
  for (let made = last; made.length >= first.length; made = dirname(made)) syncFolder(dirname(made))
}

/**
 * Makes a new history in an empty folder. Where another thread does the same, all get the history of
 * the first one.
 *
 * @throws {StorageError} `ERR_FOLDER_INVALID`, and as {@link readFolder}.
 */
export function createFolder(
  path: string,
  key: Uint8Array | undefined,
  databases: Databases | undefined,
): FolderInfo {
  const info = newInfo(key, databases)
  try {
    writeInfo(path, info)
  } catch (cause) {
    throw unusable(path, cause)
  }
  return readFolder(path, key) ?? info
}

/**
 * Makes a new history for a copy of a data file, which is on the disk. Where that fails the copy goes, too.
 * @throws {TreeError} `ERR_STORE_FULL`, `ERR_STORE_FAILED`
 */
export function completeCopy(
  path: string,
  key: Uint8Array | undefined,
  databases: Databases | undefined,
): void {
  try {
    writeInfo(path, { ...newInfo(key, databases), hasData: true })
  } catch (error) {
    // It is no use, takes room, and would be in the way of the next copy, which may come when the data file is gone.
    for (const name of [INFO_FILE, DATA_FILE]) removeIfPossible(join(path, name))
    throw storeError(error, 'Cannot back up')
  }
}

function removeIfPossible(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // Whoever has to know that nothing can be done here is told why nothing could be written.
  }
}

/**
 * Looks whether LMDB can open the data file, before it does. Touches nothing.
 *
 * @param lock What this process holds the folder by.
 * @throws {StorageError} `ERR_STORE_CORRUPT`, `ERR_FORMAT_UNKNOWN`
 */
export async function checkData(path: string, info: FolderInfo, lock: FolderLock): Promise<void> {
  const hasData = info.hasData === true
  try {
    checkDataFile(path, hasData)
  } catch (error) {
    // Another thread may be just making the file, of which there was a part. It held the folder then.
    if (hasData || !(await lock.isShared())) throw error
  }
}

/**
 * Has it on the disk that the data file was made. A folder is made in this order: `elkyn.json`, the files of LMDB, then
 * this. Before it, a folder without a data file was cut off while it was made, and nobody was told that it has anything.
 *
 * @throws {StorageError} `ERR_FOLDER_INVALID`
 */
export function confirmData(path: string, info: FolderInfo): void {
  if (info.hasData) return
  try {
    // What is relaxed about the file's commits does not go for its being there.
    syncFile(join(path, DATA_FILE))
    syncFolder(path)
    // All threads that do so write the same.
    replaceInfo(path, { ...info, hasData: true })
  } catch (cause) {
    throw unusable(path, cause)
  }
}

function unusable(path: string, cause: unknown): StorageError {
  const message = `Cannot create a database in "${path}": ${messageOf(cause)}`
  return new StorageError('ERR_FOLDER_INVALID', message, { cause })
}

function newInfo(key: Uint8Array | undefined, databases: Databases | undefined): FolderInfo {
  const epoch = randomBytes(6).toString('base64url').replaceAll('-', '.')
  return {
    formatVersion: FORMAT_VERSION,
    epoch,
    ...(key === undefined ? {} : { keyCheck: keyCheck(key, epoch) }),
    ...(databases === 'several' ? { databases } : {}),
  }
}

/**
 * Refuses a folder that was made for another number of databases: what is one tree to one server, the
 * other one would take for many, or give its own away as a part of them.
 * @throws {StorageError} `ERR_FOLDER_INVALID`
 */
export function checkDatabases(
  path: string,
  info: FolderInfo,
  wanted: Databases | undefined,
): void {
  const made: Databases = info.databases ?? 'one'
  if (wanted === undefined || wanted === made) return
  throw new StorageError(
    'ERR_FOLDER_INVALID',
    `Cannot open "${path}" for ${databasesText[wanted]}: it was made for ${databasesText[made]}`,
  )
}

const databasesText = { one: 'one database', several: 'several databases' } as const

function checkKey(path: string, info: FolderInfo, key: Uint8Array | undefined): void {
  if (info.keyCheck === undefined) {
    if (key === undefined) return
    throw new StorageError(
      'ERR_KEY_WRONG',
      `Cannot open "${path}" with a key: it was made without one. Export it and import it into a new folder`,
    )
  }
  if (key === undefined) {
    throw new StorageError('ERR_KEY_REQUIRED', `Cannot open "${path}": it needs its encryption key`)
  }
  if (!isKeyCheck(key, info.epoch, info.keyCheck)) {
    throw new StorageError('ERR_KEY_WRONG', `Cannot open "${path}": this is not its encryption key`)
  }
}

function readInfo(path: string): FolderInfo | undefined {
  let text: string
  try {
    text = readFileSync(join(path, INFO_FILE), 'utf8')
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined
    throw new StorageError('ERR_FOLDER_INVALID', `Cannot read "${path}": ${messageOf(cause)}`, {
      cause,
    })
  }
  const info = parseInfo(text)
  if (info !== undefined) return info
  throw new StorageError('ERR_FOLDER_INVALID', `Cannot open "${path}": its ${INFO_FILE} is damaged`)
}

function parseInfo(text: string): FolderInfo | undefined {
  try {
    const info: unknown = JSON.parse(text)
    if (typeof info !== 'object' || info === null) return undefined
    if (!('formatVersion' in info) || typeof info.formatVersion !== 'number') return undefined
    // Only of our own version do we know more than its number.
    if (info.formatVersion !== FORMAT_VERSION)
      return { formatVersion: info.formatVersion, epoch: '' }
    if (!('epoch' in info) || typeof info.epoch !== 'string') return undefined
    const { formatVersion, epoch } = info
    const check = 'keyCheck' in info ? info.keyCheck : undefined
    const databases = 'databases' in info ? info.databases : undefined
    if (check !== undefined && typeof check !== 'string') return undefined
    if (databases !== undefined && databases !== 'several') return undefined
    const hasData = 'hasData' in info ? info.hasData : undefined
    if (hasData !== undefined && hasData !== true) return undefined
    return {
      formatVersion,
      epoch,
      ...(check === undefined ? {} : { keyCheck: check }),
      ...(databases === undefined ? {} : { databases }),
      ...(hasData === undefined ? {} : { hasData }),
    }
  } catch {
    return undefined
  }
}

/** Writes the file, whole or not at all, unless there is one; then it is on the disk. */
function writeInfo(path: string, info: FolderInfo): void {
  const target = join(path, INFO_FILE)
  writeBeside(target, info, (temporary) => {
    try {
      // Unlike a rename, it never replaces what another thread has begun to use.
      linkSync(temporary, target)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') renameSync(temporary, target)
    }
  })
  syncFolder(path)
}

/** Writes the file, whole or not at all, in place of the one that is there; then it is on the disk. */
function replaceInfo(path: string, info: FolderInfo): void {
  const target = join(path, INFO_FILE)
  writeBeside(target, info, (temporary) => {
    renameSync(temporary, target)
  })
  syncFolder(path)
}

/** Writes a file beside the target, which `move` takes there. Whatever fails, nothing stays beside it. */
function writeBeside(target: string, info: FolderInfo, move: (temporary: string) => void): void {
  const temporary = `${target}.${process.pid}-${threadId}`
  try {
    writeSynced(temporary, `${JSON.stringify(info, undefined, 2)}\n`)
    move(temporary)
  } finally {
    removeIfPossible(temporary)
  }
}

function writeSynced(path: string, text: string): void {
  const file = openSync(path, 'w')
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function syncFile(path: string): void {
  const file = openSync(path, 'r+')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Has the names in a folder on the disk. */
export function syncFolder(path: string): void {
  // Windows has no handle of a folder to sync.
  if (process.platform === 'win32') return
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
