import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { TreeError } from '@elkyn/tree'
import { StorageError } from './errors.ts'

/** Numbers that lmdb and the system give: LMDB's own, then those of errno. */
const MDB_MAP_FULL = -30792
const MDB_READERS_FULL = -30790
const ENOSPC = 28
const EDQUOT = 122
const EIO = 5

/** What does not fit on a disk that is taken for full, where no more was to be written. */
const PROBE_BYTES = 64 * 1024

const fullCodes = new Set([MDB_MAP_FULL, ENOSPC, EDQUOT])

/** lmdb's errors carry a number as `code`, or only words. */
function numberOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined
  const code: unknown = 'code' in error ? error.code : undefined
  if (typeof code === 'number') return code
  if (/no space left/i.test(error.message)) return ENOSPC
  if (/disk quota/i.test(error.message)) return EDQUOT
  if (/MDB_MAP_FULL/.test(error.message)) return MDB_MAP_FULL
  if (/MDB_READERS_FULL/.test(error.message)) return MDB_READERS_FULL
  return undefined
}

function isFull(error: unknown): boolean {
  const number = numberOf(error)
  return number !== undefined && fullCodes.has(number)
}

/**
 * What went wrong with a commit. A disk that becomes full takes a part of what is written to it, and
 * LMDB calls that an I/O error: only the next one to write hears the reason.
 * @param bytes about so many were to be written
 */
export function commitError(error: unknown, folder: string, bytes: number): Error {
  const doing = 'Cannot commit'
  if (numberOf(error) !== EIO) return storeError(error, doing)
  if (availableBytes(folder) < bytes) return storeFull(doing, error)
  const probed = probe(folder)
  return isFull(probed) ? storeError(probed, doing) : storeError(error, doing)
}

/** What whoever runs this may still write to the disk of a folder; Infinity where the system does not say. */
export function availableBytes(folder: string): number {
  try {
    const { blocks, bavail, bsize } = statfsSync(folder)
    return blocks === 0 ? Infinity : bavail * bsize
  } catch {
    return Infinity
  }
}

/** Writes to a disk. @returns what keeps that from working. */
function probe(folder: string): unknown {
  const path = join(folder, `probe-${process.pid}-${threadId}`)
  try {
    writeFileSync(path, Buffer.alloc(PROBE_BYTES))
    return undefined
  } catch (error) {
    return error
  } finally {
    rmSync(path, { force: true })
  }
}

/** What went wrong beneath, in this project's words. Errors of our own pass unchanged. */
export function storeError(error: unknown, doing: string): Error {
  if (error instanceof TreeError || error instanceof StorageError || error instanceof TypeError) {
    return error
  }
  if (isFull(error)) return storeFull(doing, error)
  // Nothing has failed: there is room again when a snapshot is closed.
  if (numberOf(error) === MDB_READERS_FULL) {
    return new TreeError(
      'ERR_TOO_MANY_SNAPSHOTS',
      `${doing}: as many snapshots as maxReaders allows are open`,
      { cause: error },
    )
  }
  return new TreeError('ERR_STORE_FAILED', `${doing}: ${messageOf(error)}`, { cause: error })
}

/** What the system refused that a folder needs, in this project's words. Other errors pass unchanged. */
export function folderError(error: unknown, doing: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error
  return new StorageError('ERR_FOLDER_INVALID', `${doing}: ${error.message}`, { cause: error })
}

/** That there is no room for a commit. */
export function storeFull(doing: string, cause?: unknown): TreeError {
  return new TreeError(
    'ERR_STORE_FULL',
    `${doing}: the disk or the map is full; nothing of this commit was kept`,
    { cause },
  )
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
