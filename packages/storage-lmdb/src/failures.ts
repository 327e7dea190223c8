import { TreeError } from '@elkyn/tree'
import { StorageError } from './errors.ts'

/** Numbers that lmdb and the system give: LMDB's own, then those of errno. */
const MDB_MAP_FULL = -30792
const ENOSPC = 28
const EDQUOT = 122

const fullCodes = new Set([MDB_MAP_FULL, ENOSPC, EDQUOT])

/** lmdb's errors carry a number as `code`, or only words. */
function numberOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined
  const code: unknown = 'code' in error ? error.code : undefined
  if (typeof code === 'number') return code
  if (/no space left/i.test(error.message)) return ENOSPC
  if (/disk quota/i.test(error.message)) return EDQUOT
  if (/MDB_MAP_FULL/.test(error.message)) return MDB_MAP_FULL
  return undefined
}

/** What went wrong beneath, in this project's words. Errors of our own pass unchanged. */
export function storeError(error: unknown, doing: string): Error {
  if (error instanceof TreeError || error instanceof StorageError || error instanceof TypeError) {
    return error
  }
  const number = numberOf(error)
  if (number !== undefined && fullCodes.has(number)) {
    return new TreeError(
      'ERR_STORE_FULL',
      `${doing}: the disk or the map is full; nothing of this commit was kept`,
      { cause: error },
    )
  }
  const words = error instanceof Error ? error.message : String(error)
  return new TreeError('ERR_STORE_FAILED', `${doing}: ${words}`, { cause: error })
}
